//! The one read-only call to each provider before anything is sent.

use std::collections::{BTreeMap, HashMap};

use super::stop::Stop;
use crate::domain::{Catalogue, Halt, Told, mask_numbers};
use crate::engine::LaneStart;
use crate::net::Client;
use crate::run::{Asked, Clock, ask};
use crate::settings::Settings;

/// What the read-only calls before a run told, by provider entry.
#[derive(Debug, Default)]
pub struct Preflights {
    /// What was answered.
    pub asked: HashMap<String, Asked>,
}

impl Preflights {
    /// Asks every named provider entry its one question; those asked before are not asked again.
    ///
    /// # Errors
    /// [`Stop`] when a client cannot be made.
    pub async fn ask(&mut self, settings: &Settings, names: &[String], clock: &Clock) -> Result<(), Stop> {
        for entry in settings.providers.iter().filter(|entry| names.contains(&entry.name)) {
            if self.asked.contains_key(&entry.name) {
                continue;
            }
            let client = Client::new(entry.net_options())?;
            let question = entry.codec.preflight(None);
            let answer = ask(&entry.codec, &client, &question, clock).await;
            let (provider, trouble) = (entry.name.as_str(), mask_numbers(&answer.trouble()));
            tracing::debug!(provider, trouble, "question before the plan");
            self.asked.insert(entry.name.clone(), answer);
        }
        Ok(())
    }

    /// What a provider entry sells, if it said so.
    pub fn catalogue(&self, name: &str) -> Option<&Catalogue> {
        match self.asked.get(name) {
            Some(Asked::Told(Told::Catalogue(catalogue))) => Some(catalogue),
            Some(_) | None => None,
        }
    }

    /// Provider entries that refuse submits already, by name.
    pub fn halts(&self) -> BTreeMap<String, Halt> {
        let halted = |(name, asked): (&String, &Asked)| match asked {
            Asked::Told(Told::Halted(halt)) => Some((name.clone(), halt.clone())),
            Asked::Told(_) | Asked::Silent(_) | Asked::NoSuchCall => None,
        };
        self.asked.iter().filter_map(halted).collect()
    }

    pub(super) fn start(&self, name: &str, start: &mut LaneStart) {
        match self.asked.get(name) {
            Some(Asked::Told(Told::Catalogue(catalogue))) => start.preflight = Some(catalogue.clone()),
            Some(Asked::Told(Told::Balance(_))) => start.preflight = Some(Catalogue::default()),
            Some(Asked::Told(Told::Halted(halt))) => start.halt = Some(halt.clone()),
            // No usable answer: the engine asks again before the first submit.
            Some(_) | None => {}
        }
    }
}
