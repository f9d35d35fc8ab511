//! The transport against real sockets: a test double serves, and clients send raw bytes.

#[cfg(test)]
mod double;
mod drain;
mod lanes;
mod limits;
mod places;
mod shapes;
