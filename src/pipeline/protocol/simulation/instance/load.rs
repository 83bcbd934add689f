//! Loads the position, as `commit` does, and begins an epoch with it.

use super::{Instance, Phase};
use crate::{
    commit::PositionRecord,
    config::Guarantee,
    pipeline::protocol::{
        Action, Event, Protocol,
        simulation::{World, client::Client, rules::Rule},
    },
};

impl Instance {
    pub(super) fn load(&mut self, world: &mut World, end: usize) {
        let is_stable = end <= world.broker.last_stable_offset();
        if !is_stable && !world.lacks(Rule::LoadToHighWatermark) {
            if world.is_over(self.since_ms) {
                self.restart(world);
            }
            return;
        }
        let remembered = world.lacks(Rule::FenceBeforeLoad)
            || world.lacks(Rule::StartFromKafka) && self.memory.is_some();
        let saved = if remembered { self.memory.clone() } else { world.broker.last_position() };
        self.server = world.source.current;
        let (generation, position) = match &saved {
            Some(saved) => {
                let server_uuid = world.source.servers[self.server].uuid;
                (saved.generation + 1, saved.position.clone().on_server(server_uuid))
            }
            None => (1, world.source.start()),
        };
        let record = PositionRecord::resumed(saved.as_deref(), generation, position);
        self.group = 0;
        self.left_out = world.source.done(&record);
        self.generation = record.generation;
        self.next.clear();
        self.held = None;
        self.plain = (world.settings.guarantee == Guarantee::AtLeastOnce)
            .then(|| Client::new(world.next_number(), Some(world.next_plain())));
        self.protocol = Some(Protocol::new(world.settings.clone(), record, world.now()));
        self.phase = Phase::Streaming;
        self.doing = Action::Wait;
        let is_after_doubt = self.doubted;
        if !world.lacks(Rule::AnnounceGeneration) {
            self.after(world, Event::Ready { is_after_doubt });
        }
    }
}
