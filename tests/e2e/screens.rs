//! Every screen of the page.
