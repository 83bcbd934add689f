//! Which characters each character set of the server holds: the server itself says it.

use std::collections::BTreeMap;

use testkit::{Context as _, Database, Random, Result};

/// A collation, and with it a character set.
#[derive(Debug, Clone)]
pub(super) struct Collation {
    pub(super) name: String,
    pub(super) character_set: String,
    /// Most bytes of a character.
    pub(super) bytes_max: u32,
}

/// The characters of each character set.
#[derive(Debug)]
pub(super) struct Alphabets {
    collations: Vec<Collation>,
    characters: BTreeMap<String, Vec<char>>,
}

/// Ranges of characters, and at which distance some are taken from each.
const RANGES: &[(u32, u32, usize)] = &[
    (0x00, 0x24f, 1),         // controls, Latin
    (0x370, 0x5ff, 2),        // Greek, Cyrillic, Armenian, Hebrew
    (0x600, 0x6ff, 3),        // Arabic
    (0xe01, 0xe5b, 1),        // Thai
    (0x10d0, 0x10ff, 1),      // Georgian
    (0x1e00, 0x1eff, 16),     // Vietnamese
    (0x2010, 0x2122, 1),      // punctuation, currencies
    (0x2190, 0x25ff, 9),      // arrows, mathematics, boxes
    (0x3000, 0x30ff, 2),      // kana
    (0x3130, 0x318e, 5),      // Hangul letters
    (0x4e00, 0x9fa5, 29),     // Chinese
    (0xac00, 0xd7a3, 37),     // Hangul
    (0xf900, 0xfaff, 31),     // compatibility ideographs
    (0xfeff, 0xfeff, 1),      // the byte order mark
    (0xff01, 0xffee, 4),      // half and full width
    (0x1_f300, 0x1_f64f, 41), // emoji
    (0x2_0000, 0x2_a6d6, 997),
    (0x10_fffd, 0x10_fffd, 1),
];

impl Alphabets {
    /// Asks the server for its collations, and what each character set holds of the ranges above.
    pub(super) fn ask(database: &mut Database) -> Result<Self> {
        let (_, rows) = database.query(
            "SELECT c.collation_name, c.character_set_name, s.maxlen
             FROM information_schema.collations c
             JOIN information_schema.character_sets s USING (character_set_name)
             WHERE character_set_name <> 'binary' ORDER BY 1",
        )?;
        let rows = rows.into_iter().map(mysql_async::from_row::<(String, String, u32)>);
        let collations: Vec<Collation> = rows
            .map(|(name, character_set, bytes_max)| Collation { name, character_set, bytes_max })
            .collect();
        let codes = RANGES.iter().flat_map(|&(from, to, step)| (from..=to).step_by(step));
        ask_about(database, codes)?;
        let mut characters = BTreeMap::new();
        for collation in &collations {
            // This one alone has fewer characters than others of its set: no controls from U+0080
            // to U+009F.
            let is_narrow = collation.name == "latin2_czech_cs";
            if is_narrow || !characters.contains_key(&collation.character_set) {
                let held = held_by(database, collation)?;
                characters.insert(collation.character_set.clone(), held);
            }
        }
        Ok(Self { collations, characters })
    }

    /// Any collation of any character set: sets of many collations are not preferred.
    pub(super) fn random_collation(&self, random: &mut Random) -> Collation {
        let sets: Vec<&String> = self.characters.keys().collect();
        let set = *random.one_of(&sets);
        let of_set = |collation: &&Collation| collation.character_set == *set;
        let collations: Vec<&Collation> = self.collations.iter().filter(of_set).collect();
        (*random.one_of(&collations)).clone()
    }

    /// A collation of a set, where it does not matter which.
    pub(super) fn any_of_set(&self, set: &str) -> Collation {
        let mut collations = self.collations.iter();
        collations.find(|it| it.character_set == set).expect("the server has it").clone()
    }

    /// The collation of this name.
    pub(super) fn collation(&self, name: &str) -> Result<Collation> {
        let mut collations = self.collations.iter();
        let found = collations.find(|collation| collation.name == name);
        Ok(found.with_context(|| format!("no collation {name}"))?.clone())
    }

    /// The default collation of each character set, which is the one whose name comes first.
    pub(super) fn one_of_each_set(&self) -> Vec<Collation> {
        let mut collations = self.collations.clone();
        collations.sort_by(|a, b| a.character_set.cmp(&b.character_set));
        collations.dedup_by(|a, b| a.character_set == b.character_set);
        collations
    }

    /// A text of so many characters that the collation's character set holds.
    pub(super) fn text(
        &self,
        collation: &Collation,
        random: &mut Random,
        characters: u64,
    ) -> String {
        let alphabet = &self.characters[&collation.character_set];
        let only_ascii = random.is_one_in(4);
        let text = (0..characters).map(|_| match random.in_range(0..5) {
            _ if only_ascii => *random.one_of(&['a', 'Z', '0', ' ', '\'', '"', ',']),
            0 => *random.one_of(&[' ', 'a', '0', '\t', '\n']),
            _ => *random.one_of(alphabet),
        });
        text.collect()
    }
}

/// All characters of Unicode's first plane, and some of the others, that each of the sets holds.
pub(super) fn every_character(
    database: &mut Database,
    sets: &[Collation],
) -> Result<Vec<Vec<char>>> {
    let codes = (0..0xd800).chain(0xe000..0x1_0000);
    ask_about(database, codes.chain((0x1_0000..0x11_0000).step_by(499)))?;
    sets.iter().map(|set| held_by(database, set)).collect()
}

/// Makes a table of characters; a temporary one, because all others of a database are captured.
fn ask_about(database: &mut Database, codes: impl Iterator<Item = u32>) -> Result<()> {
    let rows: Vec<String> = codes.map(|code| format!("(_utf32 x'{code:08x}')")).collect();
    database.execute("SET SESSION group_concat_max_len = 10000000")?;
    database.execute("DROP TEMPORARY TABLE IF EXISTS characters")?;
    database.execute("CREATE TEMPORARY TABLE characters (c VARCHAR(1) CHARSET utf8mb4)")?;
    database.execute(&format!("INSERT INTO characters VALUES {}", rows.join(",")))
}

/// Which of the characters in the table come back from a collation's character set as they went in.
fn held_by(database: &mut Database, collation: &Collation) -> Result<Vec<char>> {
    let Collation { name, character_set, .. } = collation;
    let text: String = database.value(&format!(
        "SELECT GROUP_CONCAT(c ORDER BY HEX(c) SEPARATOR '') FROM characters WHERE
         HEX(CONVERT(CONVERT(c USING {character_set}) COLLATE {name} USING utf8mb4)) = HEX(c)"
    ))?;
    // MySQL's big5 has U+FFFD for what it has no character for.
    Ok(text.chars().filter(|character| *character != char::REPLACEMENT_CHARACTER).collect())
}

impl Collation {
    /// As a column names it.
    pub(super) fn declaration(&self) -> String {
        format!("CHARACTER SET {} COLLATE {}", self.character_set, self.name)
    }
}
