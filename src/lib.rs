//! dockline
