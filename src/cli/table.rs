//! Tables as text: columns aligned by their widest cell. A row of one cell is a heading and widens nothing.

/// The rows as lines. Rows may be of different lengths; the last cell of a row is not padded.
pub(crate) fn lines(rows: &[Vec<String>]) -> Vec<String> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let mut widths = vec![0; columns];
    for row in rows.iter().filter(|row| 1 < row.len()) {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let padded = |(cell, width): (&String, &usize)| {
        let fill = width.saturating_sub(cell.chars().count());
        format!("{cell}{}", " ".repeat(fill))
    };
    rows.iter()
        .map(|row| row.iter().zip(&widths).map(padded).collect::<Vec<_>>().join("  ").trim_end().to_owned())
        .collect()
}
