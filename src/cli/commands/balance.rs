//! `balance [PROVIDER]`: ask providers what our account holds.

use serde_json::json;

use crate::cli::args::{BalanceArgs, GlobalArgs};
use crate::cli::context::{Context, Needs};
use crate::domain::grouped;
use crate::domain::{ProviderKind, Told};
use crate::job::{Exit, Stop};
use crate::net::Client;
use crate::protocol::Question;
use crate::run::{Asked, ask};
use crate::settings::ProviderSettings;

/// `balance`.
///
/// # Errors
/// [`Stop`] with exit 2 for an unknown provider, 1 when one that can tell did not.
pub async fn balance(global: &GlobalArgs, args: &BalanceArgs) -> Result<Exit, Stop> {
    let context = Context::of(global, Needs::Providers).await?;
    let entries: Vec<&ProviderSettings> = match &args.provider {
        Some(name) => vec![context.provider(name)?],
        None => context.settings()?.providers.iter().collect(),
    };
    let (mut told, mut silent) = (Vec::new(), Vec::new());
    for entry in entries {
        let client = Client::new(entry.net_options())?;
        let asked = ask(&entry.codec, &client, &Question::Balance, &context.clock).await;
        let currency = match entry.kind {
            ProviderKind::ConnectTopup => "VND",
            ProviderKind::Tutom | ProviderKind::Paynicorn => "",
        };
        let (balance, words) = match &asked {
            Asked::Told(Told::Balance(amount)) => (Some(amount.normalize().to_string()), String::new()),
            Asked::NoSuchCall => (None, "this provider has no balance call; see its portal".to_owned()),
            Asked::Told(_) | Asked::Silent(_) => {
                silent.push(entry.name.clone());
                (None, asked.trouble())
            }
        };
        if !context.terminal.json {
            let shown = balance.as_deref().map_or(words.clone(), |b| format!("{} {currency}", grouped(b)));
            context.terminal.data(&format!("{:<12} {}", entry.name, shown.trim()));
        }
        told.push(
            json!({ "provider": entry.name, "balance": balance, "currency": currency, "message": words }),
        );
    }
    if context.terminal.json {
        context.terminal.data(&format!("{:#}", json!({ "schema": 1, "balances": told })));
    }
    if silent.is_empty() {
        Ok(Exit::Success)
    } else {
        Err(Stop::internal(format!("no balance from {}", silent.join(", "))))
    }
}
