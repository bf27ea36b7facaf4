//! The guarded shell: the gateway reads the line, knows every argument, and only then runs it, without a shell in the pod.
