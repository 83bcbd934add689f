//! Reads the binlog next to a connector that runs, and disturbs none of its dumps.

use uuid::Uuid;

use crate::config::Config;

/// Server ids of visitors have these bits, and so has their second one the lower of them: ids
/// chosen by hand are seldom that large.
const HIGH_BITS: u32 = 0b11 << 30;

/// The configuration with a server id of its own, by chance: the source ends the older of two dumps
/// with one id, and there may be several visitors.
pub(super) fn as_visitor(config: &Config) -> Config {
    let mut visitor = config.clone();
    loop {
        let id = crc32fast::hash(Uuid::now_v7().as_bytes()) | HIGH_BITS;
        visitor.mysql.server_id = Some(id);
        let theirs = [config.server_id(), config.second_server_id()];
        let ours = [visitor.server_id(), visitor.second_server_id()];
        if ours.iter().all(|id| !theirs.contains(id)) {
            return visitor;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::as_visitor;
    use crate::config::Config;

    #[test]
    fn visitors_share_no_server_id_with_the_connector_or_with_each_other() {
        let text = "name = \"shop\"\n[mysql]\nhost = \"h\"\nuser = \"u\"\n[capture]\n\
                    tables = [\"shop.*\"]\n[kafka]\nbootstrap_servers = \"k\"\n\
                    [schema_registry]\nurl = \"http://r\"";
        let config: Config = toml::from_str(text).unwrap();
        let visitors = [as_visitor(&config), as_visitor(&config)];
        let mut ids: Vec<u32> = [&config, &visitors[0], &visitors[1]]
            .iter()
            .flat_map(|config| [config.server_id(), config.second_server_id()])
            .collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), 6, "{ids:?}");
    }
}
