//! "Did you mean": the known name nearest to one that is not known.

/// The nearest of `known` to `word`, if it is near enough to be a slip of the pen.
pub(super) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let far = (word.chars().count() / 3).max(1);
    let near = |name: &'a str| (distance(word, name), name);
    known.into_iter().map(near).filter(|&(far_off, _)| far_off <= far).min().map(|(_, name)| name)
}

/// A help text for an unknown name: the nearest one, or the list while it is short.
pub(super) fn help<'a>(word: &str, known: impl IntoIterator<Item = &'a str> + Clone) -> String {
    const LISTED_MAX: usize = 16;
    if let Some(name) = nearest(word, known.clone()) {
        return format!("did you mean `{name}`?");
    }
    let known: Vec<&str> = known.into_iter().collect();
    match known.len() {
        0 => "there is none".to_owned(),
        1..=LISTED_MAX => format!("known are: {}", known.join(", ")),
        many => format!("none of the {many} known names is near"),
    }
}

/// How many letters must be put in, left out, replaced or swapped with their neighbour.
fn distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.chars().collect();
    let b: Vec<char> = b.chars().collect();
    let mut rows = vec![(0..=b.len()).collect::<Vec<usize>>()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let kept = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = kept.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if 1 < i && 1 < j && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_pen_is_recognised_and_a_stranger_is_not() {
        assert_eq!(nearest("rakc-1", ["rack-1", "rack-2", "ups-a"]), Some("rack-1"));
        assert_eq!(nearest("limt", ["limit", "side"]), Some("limit"));
        assert_eq!(nearest("generator", ["rack-1", "ups-a"]), None);
    }
}
