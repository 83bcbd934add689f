//! Requests on their way. They keep their order on one connection and on nothing else; those of a
//! connection that its client has given up can still arrive, any time later.

use super::broker::Request;

#[derive(Clone, Debug)]
pub(super) struct Packet {
    pub(super) client: usize,
    pub(super) connection: usize,
    /// Which of the client's connections to that broker.
    pub(super) generation: u32,
    pub(super) producer: u32,
    pub(super) request: Request,
    /// It cannot arrive before.
    pub(super) from_ms: u64,
}

#[derive(Debug, Default)]
pub(super) struct Network {
    pub(super) packets: Vec<Packet>,
    /// When what is sent now can arrive.
    pub(super) from_ms: u64,
}

impl Network {
    /// Takes the packet that arrives next on the connection of this one.
    pub(super) fn take(&mut self, chosen: usize) -> Packet {
        let of = |packet: &Packet| (packet.client, packet.connection, packet.generation);
        let connection = of(&self.packets[chosen]);
        let first = self.packets.iter().position(|packet| of(packet) == connection).unwrap();
        self.packets.remove(first)
    }

    /// Packets that the client's host still had are gone; those beyond it still arrive.
    pub(super) fn drop_some(&mut self, client: usize, mut gone: impl FnMut() -> bool) {
        self.packets.retain(|packet| packet.client != client || !gone());
    }
}
