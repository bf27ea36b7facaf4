//! Aggregated ClusterRoles: `aggregationRule` gathers the rules of every ClusterRole its selectors match.

use serde_json::{Value, json};

use super::{Rule, rules};
use crate::cluster::api::select::LabelSelector;
use crate::cluster::store::{self, Store, object};

/// Aggregated roles may be gathered into others; a chain longer than this stays unfinished.
const LONGEST_CHAIN: usize = 8;

/// Brings every aggregated ClusterRole up to date. Called after each write of a ClusterRole; it writes only what changed.
pub(crate) fn refresh(store: &Store) {
    for _ in 0..LONGEST_CHAIN {
        let before = store.version();
        pass(store);
        if store.version() == before {
            return;
        }
    }
}

fn pass(store: &Store) {
    let (roles, _) = store.list(&store::CLUSTERROLES, None);
    for role in &roles {
        let selectors = role.pointer("/aggregationRule/clusterRoleSelectors").and_then(Value::as_array);
        let Some(selectors) = selectors else { continue };
        let selectors: Vec<LabelSelector> =
            selectors.iter().filter_map(|s| LabelSelector::of(s).ok()).collect();
        let mut gathered: Vec<Rule> = Vec::new();
        for source in roles.iter().filter(|r| object::name(r) != object::name(role)) {
            if selectors.iter().any(|s| s.matches(source)) {
                for rule in rules(source) {
                    if !gathered.contains(&rule) {
                        gathered.push(rule);
                    }
                }
            }
        }
        let gathered = json!(gathered);
        let result = store.modify(&store::CLUSTERROLES, "", object::name(role), |role| {
            if let Value::Object(map) = role {
                map.insert("rules".into(), gathered);
            }
        });
        if let Err(error) = result {
            tracing::warn!(%error, "cannot aggregate a cluster role");
        }
    }
}
