//! Read-only questions to a provider outside a batch: before the plan, and for `balance` and `products`.

use std::time::Duration;

use super::Clock;
use crate::domain::{Answer, Delivery, NetFault, Told};
use crate::net::Client;
use crate::protocol::{Codec, Question};

/// What came of a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// The provider answered.
    Told(Told),
    /// It did not.
    Silent(NetFault),
    /// It has no such call.
    NoSuchCall,
}

/// Asks once, and once more after a short wait if nothing clear came back.
pub async fn ask(codec: &Codec, client: &Client, question: &Question, clock: &Clock) -> Asked {
    let mut last = ask_once(codec, client, question).await;
    if matches!(last, Asked::Silent(_) | Asked::Told(Told::Nothing(_))) {
        clock.wait(Duration::from_millis(300)).await;
        last = ask_once(codec, client, question).await;
    }
    last
}

/// Asks once.
pub async fn ask_once(codec: &Codec, client: &Client, question: &Question) -> Asked {
    let Some(request) = codec.encode_question(question) else { return Asked::NoSuchCall };
    match client.send(&request).await {
        Delivery::Replied(reply) => Asked::Told(codec.decode_question(question, &reply)),
        Delivery::NotSent(fault) | Delivery::MaybeSent(fault) => Asked::Silent(fault),
    }
}

impl Asked {
    /// What came instead of an answer, for a person.
    pub fn trouble(&self) -> String {
        match self {
            Self::Silent(fault) => fault.words().to_owned(),
            Self::NoSuchCall => "the provider has no such call".to_owned(),
            Self::Told(
                Told::Nothing(Answer { words, code, .. }) | Told::Busy(Answer { words, code, .. }),
            ) => format!("{} {words}", code.as_deref().unwrap_or_default()).trim().to_owned(),
            Self::Told(Told::Halted(halt)) => halt.message.clone(),
            Self::Told(Told::Refused(refusal)) => refusal.message.clone(),
            Self::Told(Told::Balance(_) | Told::Catalogue(_) | Told::Operator { .. }) => String::new(),
        }
    }
}
