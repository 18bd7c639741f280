//! Tells the core that this sink fails, or works again: once per change, tried until there is room.

use crate::exchange::Inbox;
use crate::safety::fact::Input;
use crate::safety::site::SystemFault;

/// One fault of this sink.
#[derive(Debug)]
pub(crate) struct FaultLine {
    inbox: Inbox,
    fault: SystemFault,
    failing: Option<bool>,
    told: Option<bool>,
}

impl FaultLine {
    pub(crate) fn new(inbox: Inbox, fault: SystemFault) -> Self {
        Self { inbox, fault, failing: None, told: None }
    }

    /// How it is now. The first call is always told: an alarm may stand from before a restart.
    pub(crate) fn set(&mut self, failing: bool) {
        self.failing = Some(failing);
        self.flush();
    }

    /// Tries again what could not be told yet; to be called now and then.
    pub(crate) fn flush(&mut self) {
        let Some(failing) = self.failing.filter(|failing| self.told != Some(*failing)) else { return };
        if self.inbox.try_send(vec![Input::System { fault: self.fault, failing }]).is_ok() {
            self.told = Some(failing);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_told_once_and_again_when_there_was_no_room() {
        let (inbox, mut core) = tokio::sync::mpsc::channel(1);
        let mut line = FaultLine::new(inbox, SystemFault::Mqtt);
        line.set(true);
        line.set(true);
        line.set(false);
        let told = |failing| Ok(vec![Input::System { fault: SystemFault::Mqtt, failing }]);
        assert_eq!(core.try_recv(), told(true));
        assert!(core.try_recv().is_err(), "no room for the second change yet");
        line.flush();
        assert_eq!(core.try_recv(), told(false));
        line.flush();
        assert!(core.try_recv().is_err());
    }
}
