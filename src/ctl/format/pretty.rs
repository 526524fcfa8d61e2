//! A table with lines around its cells.

use super::super::output::Table;
use super::term::cell;

pub(super) fn table(table: &Table) -> String {
    if table.rows.is_empty() {
        return String::new();
    }
    let header: Vec<String> = table.columns.iter().map(|name| (*name).to_owned()).collect();
    let rows = table.rows.iter().map(|row| row.iter().map(cell).collect());
    let lines: Vec<Vec<String>> = std::iter::once(header).chain(rows).collect();
    let widths = widths(&lines);
    let rules = |left, middle, right| rule(&widths, [left, middle, right]);
    let rows: Vec<String> = lines.iter().map(|cells| row(cells, &widths)).collect();
    let between = rules("├", "┼", "┤");
    format!("{}{}{}", rules("┌", "┬", "┐"), rows.join(&between), rules("└", "┴", "┘"))
}

fn widths(lines: &[Vec<String>]) -> Vec<usize> {
    let mut widths = Vec::new();
    for cells in lines {
        widths.resize(widths.len().max(cells.len()), 0);
        for (width, cell) in widths.iter_mut().zip(cells) {
            *width = (*width).max(cell.chars().count());
        }
    }
    widths
}

fn rule(widths: &[usize], [left, middle, right]: [&str; 3]) -> String {
    let parts: Vec<String> = widths.iter().map(|width| "─".repeat(width + 2)).collect();
    format!("{left}{}{right}\n", parts.join(middle))
}

fn row(cells: &[String], widths: &[usize]) -> String {
    let cells: Vec<String> = cells
        .iter()
        .zip(widths)
        .map(|(cell, width)| format!(" {cell}{} ", " ".repeat(width - cell.chars().count())))
        .collect();
    format!("│{}│\n", cells.join("│"))
}
