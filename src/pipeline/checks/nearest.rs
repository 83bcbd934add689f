//! The names that are nearest to one that matches nothing.

/// Names that are less alike than this are another thing (Jaro-Winkler, 1 for equal names). A
/// database's name in front makes all its tables alike, so the bar is high.
const ALIKE_MIN: f64 = 0.85;

/// Most names that are given.
const NAMES_MAX: usize = 3;

/// What to add to a message that says that a name matches nothing.
pub(in crate::pipeline) fn nearest<'a>(
    wanted: &str,
    names: impl Iterator<Item = &'a str>,
) -> String {
    let wanted = wanted.to_lowercase();
    let mut alike: Vec<(f64, &str)> = names
        .map(|name| (strsim::jaro_winkler(&wanted, &name.to_lowercase()), name))
        .filter(|(likeness, _)| ALIKE_MIN <= *likeness)
        .collect();
    alike.sort_by(|(one, _), (other, _)| other.total_cmp(one));
    alike.truncate(NAMES_MAX);
    let names: Vec<_> = alike.iter().map(|(_, name)| format!("`{name}`")).collect();
    match names.as_slice() {
        [] => String::new(),
        [name] => format!("; the nearest name is {name}"),
        names => format!("; the nearest names are {}", names.join(", ")),
    }
}
