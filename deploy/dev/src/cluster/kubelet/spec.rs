//! The parts of a pod's manifest that mean something here. Everything else (volumes, resources, security
//! contexts, affinity) is stored and shown by the API and has no effect.

use std::net::Ipv4Addr;
use std::path::Path;

use serde::Deserialize;

/// `PodSpec`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct PodSpec {
    pub(crate) containers: Vec<ContainerSpec>,
    pub(crate) init_containers: Vec<ContainerSpec>,
    pub(crate) restart_policy: RestartPolicy,
    pub(crate) termination_grace_period_seconds: Option<u64>,
    pub(crate) service_account_name: String,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub(crate) enum RestartPolicy {
    #[default]
    Always,
    OnFailure,
    Never,
}

/// `Container`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct ContainerSpec {
    pub(crate) name: String,
    pub(crate) image: String,
    pub(crate) command: Vec<String>,
    pub(crate) args: Vec<String>,
    pub(crate) env: Vec<EnvVar>,
    pub(crate) ports: Vec<ContainerPort>,
    pub(crate) readiness_probe: Option<Probe>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct EnvVar {
    pub(crate) name: String,
    pub(crate) value: String,
    pub(crate) value_from: Option<EnvSource>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct EnvSource {
    pub(crate) field_ref: Option<FieldRef>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct FieldRef {
    pub(crate) field_path: String,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct ContainerPort {
    pub(crate) name: String,
    pub(crate) container_port: u16,
}

/// A readiness probe. `tcpSocket` and `httpGet` both ask whether the port accepts a connection; other kinds
/// count as passed.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Probe {
    pub(crate) tcp_socket: Option<ProbePort>,
    pub(crate) http_get: Option<ProbePort>,
    pub(crate) period_seconds: Option<u64>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct ProbePort {
    pub(crate) port: serde_json::Value,
}

impl ContainerSpec {
    /// The port that the readiness probe asks for, by number or by name.
    pub(crate) fn probed_port(&self) -> Option<u16> {
        let probe = self.readiness_probe.as_ref()?;
        let port = &probe.tcp_socket.as_ref().or(probe.http_get.as_ref())?.port;
        match port.as_str() {
            Some(name) => Some(self.ports.iter().find(|port| port.name == name)?.container_port),
            None => port.as_u64().and_then(|port| u16::try_from(port).ok()),
        }
    }
}

/// What the environment of a container tells about its pod.
#[derive(Debug, Clone)]
pub(crate) struct Facts {
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) uid: String,
    pub(crate) node: String,
    pub(crate) ip: Ipv4Addr,
    pub(crate) node_ip: Ipv4Addr,
}

impl Facts {
    fn field(&self, path: &str, spec: &PodSpec) -> String {
        match path {
            "metadata.name" => self.name.clone(),
            "metadata.namespace" => self.namespace.clone(),
            "metadata.uid" => self.uid.clone(),
            "spec.nodeName" => self.node.clone(),
            "spec.serviceAccountName" => spec.service_account_name.clone(),
            "status.hostIP" => self.node_ip.to_string(),
            "status.podIP" | "status.podIPs" => self.ip.to_string(),
            // Labels and annotations by field are not kept here.
            _ => String::new(),
        }
    }

    /// The whole environment of a container; later entries win.
    pub(crate) fn environment(
        &self,
        spec: &PodSpec,
        container: &ContainerSpec,
        path: &str,
        home: &Path,
    ) -> Vec<(String, String)> {
        let home = home.to_string_lossy().into_owned();
        let mut env: Vec<(String, String)> = [
            ("PATH", path.to_owned()),
            ("HOSTNAME", self.name.clone()),
            ("HOME", home.clone()),
            ("TMPDIR", home),
            ("POD_IP", self.ip.to_string()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into();
        for var in &container.env {
            // A NUL cannot be handed to a process.
            if var.name.is_empty() || var.name.contains(['=', '\0']) || var.value.contains('\0') {
                continue;
            }
            let value = match &var.value_from {
                Some(EnvSource { field_ref: Some(field) }) => self.field(&field.field_path, spec),
                Some(_) => continue,
                None => expand(&var.value, &env),
            };
            env.push((var.name.clone(), value));
        }
        env
    }
}

/// `$(NAME)` becomes the value of a variable set before; `$$` is a dollar; an unknown name stays as written.
pub(crate) fn expand(text: &str, env: &[(String, String)]) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        out.push_str(before);
        if let Some(after) = after.strip_prefix('$') {
            out.push('$');
            rest = after;
        } else if let Some((name, tail)) = after.strip_prefix('(').and_then(|after| after.split_once(')')) {
            match env.iter().rev().find(|(known, _)| known == name) {
                Some((_, value)) => out.push_str(value),
                None => out.extend(["$(", name, ")"]),
            }
            rest = tail;
        } else {
            out.push('$');
            rest = after;
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_expand_as_the_container_type_documents() {
        let env = [("A".to_owned(), "1".to_owned()), ("A".to_owned(), "2".to_owned())];
        for (text, expected) in
            [("$(A)b", "2b"), ("$$(A)", "$(A)"), ("$(B)", "$(B)"), ("a$", "a$"), ("$A $(A", "$A $(A")]
        {
            assert_eq!(expand(text, &env), expected);
        }
    }

    #[test]
    fn the_environment_holds_the_manifest_and_nothing_of_the_host() {
        let pod: PodSpec = serde_json::from_value(serde_json::json!({"containers": [{
            "name": "app",
            "env": [
                {"name": "GREETING", "value": "hello $(POD_IP)"},
                {"name": "ME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
                {"name": "BAD=", "value": "x"},
            ],
        }]}))
        .unwrap();
        let facts = Facts {
            namespace: "payments".into(),
            name: "api-0".into(),
            uid: "u".into(),
            node: "n".into(),
            ip: Ipv4Addr::LOCALHOST,
            node_ip: Ipv4Addr::LOCALHOST,
        };
        let env = facts.environment(&pod, &pod.containers[0], "/bin", Path::new("/home"));
        let names: Vec<&str> = env.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["PATH", "HOSTNAME", "HOME", "TMPDIR", "POD_IP", "GREETING", "ME"]);
        assert_eq!((env[5].1.as_str(), env[6].1.as_str()), ("hello 127.0.0.1", "api-0"));
    }
}
