//! exec, attach, portforward and logs over HTTP.
