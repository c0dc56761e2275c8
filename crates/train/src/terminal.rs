//! The keys of a terminal on which Burn's dashboard is shown.

/// Makes Ctrl-C a signal. The dashboard has the terminal hand it on as a key like any other, and then
/// passes over it. What can't be set stays as it is: `q` ends the dashboard too.
pub fn ctrl_c_is_a_signal() {
    #[cfg(all(unix, feature = "tui"))]
    {
        use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
        let terminal = std::io::stdin();
        if let Ok(mut modes) = tcgetattr(&terminal)
            && !modes.local_modes.contains(LocalModes::ISIG)
        {
            modes.local_modes |= LocalModes::ISIG;
            let _ = tcsetattr(&terminal, OptionalActions::Now, &modes);
        }
    }
}
