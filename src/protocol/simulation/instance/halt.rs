//! A row that cannot be delivered ends the process; what is before it is committed first.

use super::{Action, Event, Instance, Life, Next, Rule, World};

impl Instance {
    /// A row cannot be delivered: what is before it is committed.
    pub(super) fn meet_bad_row(&mut self, world: &mut World) {
        if self.held.is_some() && self.doing == Action::Wait {
            // It follows the row that waits.
            let is_open = self.protocol.as_ref().is_some_and(|it| it.batch().opened.is_some());
            if !is_open {
                self.next.push_front(Next::Bad);
                return self.after(world, Event::Sending);
            }
            self.release(world);
        }
        self.next.push_front(Next::Halt);
        if !world.lacks(Rule::CommitBeforeHalt) {
            self.after(world, Event::Halting);
        }
    }

    /// The process ends; everything before the row must be committed.
    pub(super) fn halt(&mut self, world: &mut World) {
        let Some(protocol) = &self.protocol else { return };
        if protocol.batch().opened.is_some() {
            world.violated("rows before a halt are discarded");
        }
        self.life = Life::Halted;
        self.next.clear();
    }
}
