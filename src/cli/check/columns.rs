//! Text in columns, and figures with their units, for reports on a terminal.

use crate::units::Millis;

/// To which side a column is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Left,
    Right,
}

/// Rows of equally many cells under a head, each line indented by two.
pub(super) struct Columns {
    sides: Vec<Side>,
    rows: Vec<Vec<String>>,
}

impl Columns {
    /// Columns with these heads.
    pub(super) fn new(heads: &[(&str, Side)]) -> Self {
        let (head, sides) = heads.iter().map(|(head, side)| ((*head).to_owned(), *side)).unzip();
        Self { sides, rows: vec![head] }
    }

    pub(super) fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    /// The text; every line ends with a line feed, and none with blanks.
    pub(super) fn render(&self) -> String {
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..self.sides.len()).map(width).collect();
        let mut text = String::new();
        for row in &self.rows {
            let mut line = String::new();
            for ((cell, width), side) in row.iter().zip(&widths).zip(&self.sides) {
                let blanks = " ".repeat(width - cell.chars().count());
                line.push_str("  ");
                match side {
                    Side::Left => line.extend([cell.as_str(), &blanks]),
                    Side::Right => line.extend([blanks.as_str(), cell]),
                }
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }
}

/// A span as people read it, rounded up: `61 ms`, `4.4 s`, `5.0 min`.
pub(super) fn span(lasts: Millis) -> String {
    let tenths = |unit_ms: u64| {
        let tenths = lasts.0.div_ceil(unit_ms / 10);
        format!("{}.{}", tenths / 10, tenths % 10)
    };
    match lasts.0 {
        0..1_000 => format!("{} ms", lasts.0),
        1_000..300_000 => format!("{} s", tenths(1_000)),
        _ => format!("{} min", tenths(60_000)),
    }
}

/// A worst case; what has no limit is said so.
pub(super) fn worst(lasts: Option<Millis>) -> String {
    lasts.map_or_else(|| "no limit".to_owned(), span)
}

/// Microseconds of line time.
pub(super) fn line_time(us: u64) -> String {
    if us < 10_000 {
        let tenths = us.div_ceil(100);
        return format!("{}.{} ms", tenths / 10, tenths % 10);
    }
    span(Millis(us.div_ceil(1000)))
}

/// Thousandths as per cent.
pub(super) fn percent(permille: u64) -> String {
    format!("{}.{} %", permille / 10, permille % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell_and_lines_end_without_blanks() {
        let mut columns = Columns::new(&[("link", Side::Left), ("cycle", Side::Right), ("to", Side::Left)]);
        columns.row(vec!["room".to_owned(), "61 ms".to_owned(), "a".to_owned()]);
        columns.row(vec!["µ".to_owned(), "1234 ms".to_owned(), String::new()]);
        assert_eq!(columns.render(), "  link    cycle  to\n  room    61 ms  a\n  µ     1234 ms\n");
    }

    #[test]
    fn figures_are_rounded_up_and_carry_their_unit() {
        assert_eq!(
            [0, 999, 1000, 4301, 299_999, 300_000].map(|ms| span(Millis(ms))),
            ["0 ms", "999 ms", "1.0 s", "4.4 s", "300.0 s", "5.0 min"]
        );
        assert_eq!((line_time(5_001), line_time(10_000)), ("5.1 ms".to_owned(), "10 ms".to_owned()));
        assert_eq!((percent(5), percent(1234)), ("0.5 %".to_owned(), "123.4 %".to_owned()));
        assert_eq!(worst(None), "no limit");
    }
}
