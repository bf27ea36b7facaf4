//! Sallyport's decisions, pure: who may ask for what, who may approve, what a grant then allows, and when
//! it ends. No I/O, no clock, no async, no Kubernetes: time and state are arguments.
