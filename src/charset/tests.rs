//! Collations as the server lists them.

use super::Charset;

#[test]
fn every_collation_of_the_server_has_its_character_set() {
    for line in include_str!("../../tests/data/binlog/collations.tsv").lines() {
        let (id, name) = line.split_once('\t').unwrap();
        let charset = Charset::of_collation(id.parse().unwrap()).unwrap();
        let name = name.replace("utf8mb3", "utf8mb4");
        assert_eq!(charset.name(), name, "collation {id}");
    }
    assert_eq!(Charset::of_collation(2048), None);
}
