//! `products PROVIDER [--phone N]`: ask a provider what it sells, to everybody or to one number.

use serde_json::{Value, json};

use crate::cli::args::{GlobalArgs, ProductsArgs};
use crate::cli::context::{Context, Needs};
use crate::domain::{Catalogue, Denomination, PhoneNumber, ProviderKind, Told};
use crate::job::{Exit, Stop, phone_plan};
use crate::net::Client;
use crate::protocol::Question;
use crate::run::{Asked, ask};
use crate::settings::ProviderSettings;

/// `products`.
///
/// # Errors
/// [`Stop`] with exit 2 for a wrong provider or number, 1 when the provider does not tell.
pub async fn products(global: &GlobalArgs, args: &ProductsArgs) -> Result<Exit, Stop> {
    let context = Context::of(global, Needs::Providers).await?;
    let entry = context.provider(&args.provider)?;
    if entry.kind == ProviderKind::ConnectTopup {
        return Err(Stop::refused(format!(
            "{} sells airtime in multiples of 10,000 VND and has no product list",
            entry.name
        )));
    }
    let phone = args.phone.as_deref().map(|text| read_phone(&context, entry, text)).transpose()?;
    let client = Client::new(entry.net_options())?;
    let told = |asked: Asked| match asked {
        Asked::Told(told @ (Told::Catalogue(_) | Told::Operator { .. })) => Ok(told),
        other @ (Asked::Told(_) | Asked::Silent(_) | Asked::NoSuchCall) => {
            Err(Stop::internal(format!("{} does not tell: {}", entry.name, other.trouble())))
        }
    };
    let mut operator = None;
    let question = match (&phone, entry.kind) {
        (Some(phone), ProviderKind::Tutom) => Question::ProductsOf(phone.clone()),
        (Some(phone), ProviderKind::Paynicorn | ProviderKind::ConnectTopup) => {
            let question = Question::OperatorOf(phone.clone());
            if let Told::Operator { code, .. } =
                told(ask(&entry.codec, &client, &question, &context.clock).await)?
            {
                operator = Some(code);
            }
            Question::Catalogue(None)
        }
        (None, _) => Question::Catalogue(None),
    };
    let Told::Catalogue(mut catalogue) = told(ask(&entry.codec, &client, &question, &context.clock).await)?
    else {
        return Err(Stop::internal(format!("{} gave no product list", entry.name)));
    };
    if let Some(operator) = &operator {
        catalogue.airtime.retain(|product| product.operator == *operator);
    }
    if context.terminal.json {
        let object = json!({ "schema": 1, "provider": entry.name, "operator": operator, "products": values(&catalogue) });
        context.terminal.data(&format!("{object:#}"));
    } else {
        for line in lines(&catalogue) {
            context.terminal.data(&line);
        }
    }
    Ok(Exit::Success)
}

fn read_phone(context: &Context, entry: &ProviderSettings, text: &str) -> Result<PhoneNumber, Stop> {
    let plan = phone_plan(context.settings()?)?;
    let default = match entry.countries.as_slice() {
        [country] => Some(*country),
        _ => context.settings()?.default_country,
    };
    let read = plan.read_phone(text, None, default);
    read.map(|read| read.number).map_err(|problem| Stop::refused(format!("--phone: {problem}")))
}

fn values(catalogue: &Catalogue) -> Vec<Value> {
    let data = catalogue.data.iter().map(|product| {
        json!({ "product": product.id, "operator": product.operator, "data": product.label,
                "price": product.price.amount.normalize().to_string(), "currency": product.price.currency })
    });
    let airtime = catalogue.airtime.iter().map(|product| {
        let (min, max) = bounds(&product.denomination);
        json!({ "product": "airtime", "operator": product.operator, "country": product.country,
                "min": min, "max": max, "currency": product.currency })
    });
    data.chain(airtime).collect()
}

fn bounds(denomination: &Denomination) -> (String, String) {
    let (min, max) = match denomination {
        Denomination::Fixed(amount) => (amount, amount),
        Denomination::Range { min, max } => (min, max),
    };
    (min.normalize().to_string(), max.normalize().to_string())
}

fn lines(catalogue: &Catalogue) -> Vec<String> {
    let data = catalogue.data.iter().map(|product| {
        format!("{:<8} {:<14} {:<8} {}", product.id, product.operator, product.label, product.price)
    });
    let airtime = catalogue.airtime.iter().map(|product| {
        let (min, max) = bounds(&product.denomination);
        let amount = if min == max { min } else { format!("{min} to {max}") };
        format!("airtime  {:<14} {} {amount}", product.operator, product.currency)
    });
    data.chain(airtime).collect()
}
