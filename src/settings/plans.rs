//! The phone plans that a user names beside or in place of those that come with the program.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use toml::Spanned;

use super::error::{Place, Problem, SettingsError};
use super::{Settings, read_bounded};
use crate::domain::Country;
use crate::numbering::{PhonePlan, PlanError};

/// A phone plan of the user's, read and found right.
#[derive(Clone, Debug)]
pub struct PlanFile {
    /// Its file, as the configuration names it.
    pub named: String,
    /// Whose numbers it tells.
    pub country: Country,
    /// SHA-256 of its bytes, in hex.
    pub sha256: String,
    text: String,
}

impl Settings {
    /// The phone plans: those that come with the program, with the user's in their place or beside them.
    ///
    /// # Errors
    /// [`PlanError`] when a table that comes with the program is damaged; the user's were read before.
    pub fn phone_plan(&self) -> Result<PhonePlan, PlanError> {
        let mut plan = PhonePlan::load()?;
        for file in &self.phone_plans {
            plan.replace(&file.text)?;
        }
        Ok(plan)
    }

    /// SHA-256 of each of the user's plans, by country.
    pub fn phone_plan_digests(&self) -> BTreeMap<Country, String> {
        self.phone_plans.iter().map(|file| (file.country, file.sha256.clone())).collect()
    }
}

/// Reads the plans that a configuration names; they are relative to its folder.
///
/// # Errors
/// [`SettingsError::At`]: in the configuration for a file that cannot be read or a country that has a plan
/// already, in the plan for what is wrong there.
pub(super) fn load(
    named: &[Spanned<String>],
    place: Place<'_>,
    folder: &Path,
) -> Result<Vec<PlanFile>, SettingsError> {
    let mut files: Vec<PlanFile> = Vec::new();
    for (index, name) in named.iter().enumerate() {
        let problem = |problem| place.problem(name.span(), format!("phone_plans[{index}]"), problem);
        if name.get_ref().is_empty() {
            return Err(problem(Problem::Empty));
        }
        let path = folder.join(name.get_ref());
        let text = read_bounded(&path).map_err(|error| {
            problem(Problem::PlanUnreadable { file: path.clone(), why: error.to_string() })
        })?;
        let country = country_of(&text, &path)?;
        if let Some(other) = files.iter().find(|other| other.country == country) {
            return Err(problem(Problem::PlanTwice { country, other: other.named.clone() }));
        }
        let sha256 = hex::encode(Sha256::digest(text.as_bytes()));
        files.push(PlanFile { named: name.get_ref().clone(), country, sha256, text });
    }
    Ok(files)
}

/// Reads a plan to see that it is one.
fn country_of(text: &str, path: &Path) -> Result<Country, SettingsError> {
    let read = PhonePlan::load().and_then(|mut plan| plan.replace(text));
    let file: PathBuf = path.to_owned();
    read.map_err(|error| match error {
        PlanError::At { line, key, problem } => {
            SettingsError::At { file, line, key, problem: Problem::Plan(problem) }
        }
        PlanError::CallingCodes(line) => {
            let words = PlanError::CallingCodes(line).to_string();
            SettingsError::At { file, line, key: "TOML".to_owned(), problem: Problem::Syntax(words) }
        }
    })
}
