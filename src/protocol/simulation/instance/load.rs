//! Loads the position, as `state` does, and begins an epoch with it.

use super::{Instance, Life, Phase};
use crate::{
    config::Guarantee,
    protocol::{
        Action, Event, Protocol,
        simulation::{World, client::Client, rules::Rule},
    },
    state::{LeastOffset, Place, PositionRecord, SavedPosition, check_found, is_decided, is_whole},
};

impl Instance {
    /// Looks once more, until its patience ends.
    fn load_again(&mut self, world: &mut World) {
        if world.is_over(self.since_ms) {
            self.restart(world);
        }
    }

    /// A fenced instance looks for the newer one, whatever the broker that answers has.
    pub(super) fn look(&mut self, world: &mut World, until_ms: u64) {
        let met = world.broker.last_stable_offset().saturating_sub(world.lag());
        let newest = world.broker.last_position_before(met);
        let is_of_successor = newest.is_some_and(|record| {
            record.is_of_successor(self.generation, self.id)
                // Without names, the generation alone says whose it is.
                && (self.generation + 1 < record.generation || !world.lacks(Rule::NameTheInstance))
        });
        if is_of_successor && !world.lacks(Rule::LeaveToTheNewer) || world.lacks(Rule::StayIfAlone)
        {
            self.life = Life::Left;
        } else if until_ms <= world.now_ms {
            self.restart(world);
        }
    }

    pub(super) fn load(&mut self, world: &mut World, end: usize) {
        let offset = |offset: usize| i64::try_from(offset).unwrap();
        let stable = world.broker.last_stable_offset();
        let is_decided = is_decided(offset(end), offset(stable));
        if !is_decided && !world.lacks(Rule::LoadToHighWatermark) {
            return self.load_again(world);
        }
        // The broker that answers may be behind the one that named the end.
        let met = stable.saturating_sub(world.lag());
        self.least_offset = LeastOffset::at_load(offset(end));
        // Where an open transaction is not waited for, nor is what is behind it.
        let end = end.min(stable);
        if !is_whole(offset(end), Some(offset(met))) && !world.lacks(Rule::ReadToTheEnd) {
            return self.load_again(world);
        }
        let remembered = world.lacks(Rule::FenceBeforeLoad)
            || world.lacks(Rule::StartFromKafka) && self.memory.is_some();
        let found = world.broker.found_before(met);
        let at = found.as_ref().map_or(0, |(at, _)| *at);
        let saved = if remembered { self.memory.clone() } else { found.map(|(_, saved)| saved) };
        let seen = match self.seen {
            Some(seen) if world.lacks(Rule::CompareTheNumber) => Some(Place { seq: 0, ..seen }),
            seen => seen,
        };
        let found = saved.as_deref().map(|saved| {
            let mut record = saved.clone();
            record.least_offset.take_if(|_| remembered || world.lacks(Rule::CompareTheOffset));
            SavedPosition { offset: offset(at), record }
        });
        if check_found("state", found.as_ref(), seen, None).is_err() {
            self.life = Life::Refused;
            if !world.truth.has_lost && !world.lacks(Rule::ReadToTheEnd) {
                world.violated("a position is refused that is the last one");
            }
            return;
        }
        self.seen = self.seen.max(saved.as_deref().map(PositionRecord::place));
        self.server = world.source.current;
        let (generation, position) = match &saved {
            Some(saved) => {
                let server_uuid = world.source.servers[self.server].uuid;
                (saved.generation + 1, saved.position.clone().on_server(server_uuid))
            }
            None => (1, world.source.start()),
        };
        let record = PositionRecord {
            instance: Some(self.id),
            ..PositionRecord::resumed(saved.as_deref(), generation, position)
        };
        self.group = 0;
        self.left_out = world.source.done(&record);
        self.generation = record.generation - 1;
        self.extra.extras = world.broker.extras_before(met);
        self.extra.sent = self.extra.extras.clone();
        self.extra.is_counted = false;
        // One that was fenced since may load less, and commits nothing.
        let is_fenced = !world.broker.is_current(self.client.producer);
        let checked = world.truth.check_loaded(&self.extra.extras);
        if let Some(violation) = checked.err().filter(|_| !is_fenced) {
            world.violated(&violation);
        }
        self.take_up_tables(world, &record.position.file);
        self.next.clear();
        self.held = None;
        self.plain = (world.settings.guarantee == Guarantee::AtLeastOnce)
            .then(|| Client::new(world.next_number(), Some(world.next_plain())));
        self.protocol = Some(Protocol::new(world.settings.clone(), record, world.now()));
        self.phase = Phase::Streaming;
        self.doing = Action::Wait;
        let is_after_doubt = self.doubted && !world.lacks(Rule::RecordsAfterDoubt);
        if !world.lacks(Rule::AnnounceGeneration) {
            self.after(world, Event::Ready { is_after_doubt });
        }
    }
}
