//! The pictures of the page as inline SVG. Whole numbers only, no text of anybody's, no reference to anything:
//! what is drawn here needs no escaping. Words stand beside the pictures, in HTML, so that they keep their size.
//!
//! Every kind has a pattern of its own, drawn line by line, so that the page reads without colours.

use std::fmt::Write as _;

use super::timeline::{Level, RateCourse};

/// What a part of a picture stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Solid.
    Succeeded,
    /// Lines across.
    Failed,
    /// Upright lines.
    Open,
    /// Hollow.
    NotSent,
    /// Solid, of no state.
    Plain,
}

impl Kind {
    /// Class of its shapes.
    pub(super) fn class(self) -> &'static str {
        match self {
            Self::Succeeded => "ok",
            Self::Failed => "bad",
            Self::Open => "open",
            Self::NotSent => "left",
            Self::Plain => "plain",
        }
    }
}

/// A box, in the units of its picture.
#[derive(Clone, Copy, Debug)]
struct Area {
    x: u64,
    y: u64,
    width: u64,
    height: u64,
}

/// Width of every picture, in its own units: it is stretched to the room it has.
const WIDTH: u64 = 1_000;

/// Height of a bar.
const BAR: u64 = 20;

/// Height of a course.
const COURSE: u64 = 120;

fn open_svg(height: u64, class: &str, label: &str) -> String {
    format!(
        "<svg class=\"{class}\" viewBox=\"0 0 {WIDTH} {height}\" preserveAspectRatio=\"none\" role=\"img\" \
         aria-label=\"{label}\" focusable=\"false\">"
    )
}

/// One box with its pattern; `step` is the distance of upright lines.
fn draw(svg: &mut String, kind: Kind, area: Area, step: u64) {
    let Area { x, y, width, height } = area;
    if width == 0 || height == 0 {
        return;
    }
    let class = kind.class();
    let _ =
        write!(svg, "<rect class=\"{class}\" x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\"/>");
    let mut lines = String::new();
    match kind {
        Kind::Succeeded | Kind::NotSent | Kind::Plain => {}
        Kind::Failed => {
            let mut at = y + (9 - y % 6) % 6;
            while at < y + height {
                let _ = write!(lines, "M{x} {at}h{width}");
                at += 6;
            }
        }
        Kind::Open => {
            let mut at = x + (step - x % step) % step;
            while at < x + width {
                let _ = write!(lines, "M{at} {y}v{height}");
                at += step;
            }
        }
    }
    if !lines.is_empty() {
        let _ = write!(svg, "<path class=\"{class}-lines\" d=\"{lines}\"/>");
    }
}

/// A bar of parts that together are its whole width; a part that is there is never too narrow to be seen.
pub(super) fn stacked(parts: &[(Kind, u64)], label: &str) -> String {
    let mut svg = open_svg(BAR, "bar", label);
    let widths = widths(&parts.iter().map(|(_, part)| *part).collect::<Vec<_>>());
    let mut x = 0;
    for ((kind, _), width) in parts.iter().zip(widths) {
        draw(&mut svg, *kind, Area { x, y: 0, width, height: BAR }, 14);
        x += width;
    }
    svg.push_str("</svg>");
    svg
}

/// Widths that add up to [`WIDTH`], in proportion, none that is not zero under 6.
fn widths(parts: &[u64]) -> Vec<u64> {
    const LEAST: u64 = 6;
    let sum: u128 = parts.iter().map(|part| u128::from(*part)).sum();
    if sum == 0 {
        return vec![0; parts.len()];
    }
    let scaled = |part: &u64| {
        let width = u64::try_from(u128::from(*part) * u128::from(WIDTH) / sum).unwrap_or(WIDTH);
        if *part == 0 { 0 } else { width.max(LEAST) }
    };
    let mut widths: Vec<u64> = parts.iter().map(scaled).collect();
    let total: u64 = widths.iter().sum();
    if let Some(widest) = widths.iter_mut().max() {
        *widest = (*widest + WIDTH).saturating_sub(total).max(LEAST);
    }
    widths
}

/// A bar of this share of the widest one.
pub(super) fn bar(kind: Kind, value: u64, most: u64, label: &str) -> String {
    let mut svg = open_svg(BAR, "bar thin", label);
    let width = u128::from(value) * u128::from(WIDTH) / u128::from(most.max(1));
    let width = u64::try_from(width).unwrap_or(WIDTH).max(if value == 0 { 0 } else { 6 });
    draw(&mut svg, kind, Area { x: 0, y: 0, width, height: BAR }, 14);
    svg.push_str("</svg>");
    svg
}

/// A swatch for a legend.
pub(super) fn swatch(kind: Kind) -> String {
    let mut svg =
        "<svg class=\"swatch\" viewBox=\"0 0 24 16\" aria-hidden=\"true\" focusable=\"false\">".to_owned();
    draw(&mut svg, kind, Area { x: 1, y: 1, width: 22, height: 14 }, 4);
    svg.push_str("</svg>");
    svg
}

fn scaled(value: u64, most: u64) -> u64 {
    let height = u128::from(value) * u128::from(COURSE) / u128::from(most.max(1));
    u64::try_from(height).unwrap_or(COURSE).min(COURSE)
}

/// Left edge of a bucket.
fn edge(bucket: usize, buckets: usize) -> u64 {
    let (bucket, buckets) = (u64::try_from(bucket).unwrap_or(0), u64::try_from(buckets).unwrap_or(1).max(1));
    bucket.saturating_mul(WIDTH) / buckets
}

/// Rows over time, stacked: succeeded below, then failed, open on top. `starts` are the buckets in which a further
/// run begins.
pub(super) fn course(levels: &[Level], starts: &[usize], label: &str) -> String {
    let mut svg = open_svg(COURSE, "course", label);
    let most = levels.iter().map(|level| level.total()).max().unwrap_or(0);
    for layer in [Kind::Succeeded, Kind::Failed, Kind::Open] {
        // Equal neighbours are one box: a course of a day has few changes.
        let mut from = 0;
        for (i, level) in levels.iter().enumerate() {
            if levels.get(i + 1) == Some(level) {
                continue;
            }
            let (below, height) = match layer {
                Kind::Succeeded => (0, level.succeeded),
                Kind::Failed => (level.succeeded, level.failed),
                Kind::Open | Kind::NotSent | Kind::Plain => (level.succeeded + level.failed, level.open),
            };
            let (top, bottom) = (scaled(below + height, most), scaled(below, most));
            // What is there is seen, be it one row of a million.
            let height_drawn = (top - bottom).max(if height == 0 { 0 } else { 2 });
            let (x, right) = (edge(from, levels.len()), edge(i + 1, levels.len()));
            let y = COURSE.saturating_sub(bottom + height_drawn);
            draw(&mut svg, layer, Area { x, y, width: right - x, height: height_drawn }, 12);
            from = i + 1;
        }
    }
    marks(&mut svg, starts, levels.len());
    svg.push_str("</svg>");
    svg
}

/// Submits of one provider per slot, as a line, with its limit as a dashed one.
pub(super) fn rate(course: &RateCourse, buckets: usize, starts: &[usize], label: &str) -> String {
    const HEIGHT: u64 = 60;
    let mut svg = open_svg(HEIGHT, "course rate", label);
    let peak = course.slots.iter().map(|(_, _, sent)| *sent).max().unwrap_or(0);
    let most = peak.max(course.allowed.unwrap_or(0)).max(1);
    let y = |sent: u64| {
        HEIGHT - 2 - u64::try_from(u128::from(sent) * u128::from(HEIGHT - 6) / u128::from(most)).unwrap_or(0)
    };
    let mut line = String::new();
    for (first, length, sent) in &course.slots {
        let (x, right) = (edge(*first, buckets), edge(first + length, buckets));
        let command = if line.is_empty() { 'M' } else { 'L' };
        let _ = write!(line, "{command}{x} {0}L{right} {0}", y(*sent));
    }
    marks(&mut svg, starts, buckets);
    let _ = write!(svg, "<path class=\"rate-line\" d=\"{line}\"/>");
    if let Some(allowed) = course.allowed {
        let _ = write!(svg, "<path class=\"limit-line\" d=\"M0 {}h{WIDTH}\"/>", y(allowed));
    }
    svg.push_str("</svg>");
    svg
}

/// Upright lines where a further run begins.
fn marks(svg: &mut String, starts: &[usize], buckets: usize) {
    for start in starts {
        let _ = write!(svg, "<path class=\"mark\" d=\"M{} 0V{COURSE}\"/>", edge(*start, buckets));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_parts_of_a_bar_fill_it_and_none_is_lost(parts in prop::collection::vec(0_u64..=u64::MAX, 1..6)) {
            let drawn = widths(&parts);
            for (part, width) in parts.iter().zip(&drawn) {
                prop_assert_eq!(*part == 0, *width == 0);
            }
            let total: u64 = drawn.iter().sum();
            prop_assert!(total == WIDTH || parts.iter().all(|part| *part == 0), "{drawn:?}");
        }

        #[test]
        fn a_course_stays_inside_its_picture(
            levels in prop::collection::vec((0_u64..2_000_000, 0_u64..2_000_000, 0_u64..2_000_000), 1..150),
        ) {
            let levels: Vec<Level> = levels.into_iter()
                .map(|(succeeded, failed, open)| Level { succeeded, failed, open }).collect();
            let svg = course(&levels, &[0], "rows");
            for rect in svg.split("<rect ").skip(1) {
                let number = |name: &str| -> u64 {
                    let from = rect.split(&format!(" {name}=\"")).nth(1).unwrap();
                    from.split('"').next().unwrap().parse().unwrap()
                };
                prop_assert!(number("x") + number("width") <= WIDTH);
                prop_assert!(number("y") + number("height") <= COURSE + 2);
            }
        }
    }

    #[test]
    fn each_state_has_a_pattern_of_its_own() {
        let svg =
            stacked(&[(Kind::Succeeded, 5), (Kind::Failed, 5), (Kind::Open, 5), (Kind::NotSent, 5)], "money");
        for class in ["\"ok\"", "\"bad\"", "\"bad-lines\"", "\"open\"", "\"open-lines\"", "\"left\""] {
            assert!(svg.contains(class), "{class}: {svg}");
        }
    }
}
