//! The plans of the playbook versions that runs follow.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use serde_json::Value;

use super::{Library, Plan, Secrets, plan::UnknownAction};
use crate::{
    action::{ActionType, Services},
    config::{Config, ParameterValue},
    playbook::{self, Bundle, Parameter, ParameterType, Playbook},
    secret::SecretRef,
    store::{StoreError, Version},
};

/// Plans kept compiled; old versions are only needed while runs follow them.
const KEPT: usize = 64;

/// Why a run's version cannot be followed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum VersionError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("version {0} of its playbook is not in the store")]
    Missing(String),
    #[error("version {version} of its playbook does not load in this Larum: {fault}")]
    Unloadable { version: String, fault: String },
    #[error(transparent)]
    UnknownAction(#[from] UnknownAction),
}

/// Compiled plans by version.
pub(crate) struct Versions {
    services: Arc<Services>,
    library: Library,
    actions: &'static [ActionType],
    plans: Mutex<HashMap<String, Arc<Plan>>>,
}

impl Versions {
    pub(crate) fn new(services: Arc<Services>, library: Library, actions: &'static [ActionType]) -> Self {
        Self { services, library, actions, plans: Mutex::default() }
    }

    /// The plan of a version: in force, or as it was stored.
    pub(crate) async fn plan(&self, version: &str) -> Result<Arc<Plan>, VersionError> {
        if let Some(plan) = self.plans.lock().unwrap_or_else(PoisonError::into_inner).get(version) {
            return Ok(plan.clone());
        }
        let live = self.library.current().iter().find(|live| live.version == version).map(|live| live.playbook.clone());
        let playbook = match live {
            Some(playbook) if playbook.parameters.is_empty() => (playbook, Vec::new()),
            live => {
                let bundle = self.bundle(version).await?;
                let playbook = match live {
                    Some(playbook) => playbook,
                    None => Arc::new(load(version, &bundle, self.actions)?),
                };
                let parameters = parameters(&playbook, &bundle);
                (playbook, parameters)
            }
        };
        let plan = Arc::new(Plan::compile(version, playbook.0, playbook.1, self.actions)?);
        let mut plans = self.plans.lock().unwrap_or_else(PoisonError::into_inner);
        if plans.len() >= KEPT {
            plans.clear();
        }
        plans.insert(version.to_owned(), plan.clone());
        Ok(plan)
    }

    async fn bundle(&self, version: &str) -> Result<Bundle, VersionError> {
        let stored = self.services.store.version(version).await?;
        let stored = stored.ok_or_else(|| VersionError::Missing(version.to_owned()))?;
        bundle_of(&stored)
    }

    /// Why a secret parameter of the playbook cannot be read just now, if there is one.
    pub(crate) fn unreadable_secret(&self, plan: &Plan) -> Option<String> {
        unreadable_secret(&self.services.config, plan)
    }

    /// The secret parameters of a run, read anew so that a rotated one takes effect.
    pub(crate) fn secrets(&self, plan: &Plan) -> Arc<Secrets> {
        Arc::new(secrets(&plan.playbook, &self.services.config))
    }
}

/// The parameters of a playbook whose values are secrets, with where they are kept.
fn secret_parameters<'p>(
    playbook: &'p Playbook,
    config: &'p Config,
) -> impl Iterator<Item = (&'p Parameter, &'p SecretRef)> {
    let configured = config.parameters.get(&playbook.name);
    playbook.parameters.iter().filter_map(move |parameter| {
        match configured?.iter().find(|(name, _)| name.eq_ignore_ascii_case(&parameter.name))? {
            (_, ParameterValue::Secret(place)) => Some((parameter, place)),
            (_, ParameterValue::Plain(_)) => None,
        }
    })
}

/// The secret parameters of a playbook. One that cannot be read is absent, and the expression that uses it says so.
pub(crate) fn secrets(playbook: &Playbook, config: &Config) -> Secrets {
    let values = secret_parameters(playbook, config).filter_map(|(parameter, place)| {
        let text = match place.read() {
            Ok(text) => secrecy::ExposeSecret::expose_secret(&text).to_owned(),
            Err(error) => {
                let (playbook, parameter) = (&playbook.name, &parameter.name);
                tracing::error!(%playbook, %parameter, %error, "a secret parameter cannot be read");
                return None;
            }
        };
        let value = match parameter.kind {
            ParameterType::SecureObject | ParameterType::Object | ParameterType::Array => {
                serde_json::from_str(&text).unwrap_or(Value::String(text))
            }
            _ => Value::String(text),
        };
        Some((parameter.name.clone(), value))
    });
    Secrets::new(values.collect())
}

/// Why a secret parameter of the playbook cannot be read just now, if there is one.
pub(crate) fn unreadable_secret(config: &Config, plan: &Plan) -> Option<String> {
    let playbook = &plan.playbook;
    secret_parameters(playbook, config).find_map(|(parameter, place)| {
        let error = place.read().err()?;
        Some(format!(
            "the secret parameter '{}' of playbook '{}' cannot be read: {error}",
            parameter.name, playbook.name
        ))
    })
}

fn bundle_of(stored: &Version) -> Result<Bundle, VersionError> {
    serde_json::from_str(&stored.bundle)
        .map_err(|error| VersionError::Unloadable { version: stored.id.clone(), fault: error.to_string() })
}

/// The plan of a bundle, whose playbook is loaded already.
pub(crate) fn of_bundle(
    playbook: Arc<Playbook>,
    bundle: &Bundle,
    actions: &'static [ActionType],
) -> Result<Plan, UnknownAction> {
    let parameters = parameters(&playbook, bundle);
    Plan::compile(bundle.version(), playbook, parameters, actions)
}

/// The plan of a version as it was stored.
pub(crate) fn of_version(stored: &Version, actions: &'static [ActionType]) -> Result<Plan, VersionError> {
    let version = &stored.id;
    let bundle = bundle_of(stored)?;
    let playbook = Arc::new(load(version, &bundle, actions)?);
    let parameters = parameters(&playbook, &bundle);
    Ok(Plan::compile(version, playbook, parameters, actions)?)
}

/// Plain parameter values: as stored with the version, else the playbook's default.
fn parameters(playbook: &Playbook, bundle: &Bundle) -> Vec<(String, Value)> {
    let stored = |name: &str| bundle.parameters.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
    let value = |parameter: &crate::playbook::Parameter| {
        let value = stored(&parameter.name).map(|(_, value)| value.clone()).or_else(|| parameter.default.clone());
        Some((parameter.name.clone(), value?))
    };
    playbook.parameters.iter().filter_map(value).collect()
}

/// The playbook behind a stored bundle.
fn load(version: &str, bundle: &Bundle, actions: &[ActionType]) -> Result<Playbook, VersionError> {
    let vocabulary: Vec<_> = actions.iter().map(|action| action.spec).collect();
    playbook::load(bundle, &vocabulary).map_err(|faults| {
        let fault = faults.first().map(ToString::to_string).unwrap_or_default();
        VersionError::Unloadable { version: version.to_owned(), fault }
    })
}
