//! The timeline as SVG: one strip for each figure.

use std::fmt::Write;

use crate::report::{Phase, Second};

const WIDTH: f64 = 900.0;
const STRIP: f64 = 110.0;
const MARGIN: f64 = 60.0;

type Figure = (&'static str, fn(&Second) -> f64);

const FIGURES: [Figure; 4] = [
    ("calls per second", |second| second.took.len() as f64),
    ("hit rate in %", |second| 100.0 * second.stats.hit_rate()),
    ("95th percentile in ms", |second| second.p95().as_secs_f64() * 1e3),
    ("most loads at once", |second| second.loads as f64),
];

pub(crate) fn draw(seconds: &[Second]) -> String {
    let height = MARGIN + FIGURES.len() as f64 * (STRIP + 30.0);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {} {height}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n",
        WIDTH + 2.0 * MARGIN
    );
    let x = |at: usize| MARGIN + WIDTH * at as f64 / seconds.len().max(2).saturating_sub(1) as f64;
    let is_away = |second: &Second| second.phase == Phase::Away;
    let away = seconds.iter().position(is_away).zip(seconds.iter().rposition(is_away));
    if let Some((first, last)) = away {
        let (left, width) = (x(first), x(last) - x(first));
        let _ = writeln!(
            svg,
            "<rect x=\"{left}\" y=\"20\" width=\"{width}\" height=\"{}\" fill=\"#fbe3e0\"/>",
            height - 50.0
        );
        let _ = writeln!(svg, "<text x=\"{}\" y=\"15\">Redis away</text>", left);
    }
    for (number, (name, figure)) in FIGURES.iter().enumerate() {
        let bottom = 40.0 + STRIP + number as f64 * (STRIP + 30.0);
        let top = seconds.iter().map(figure).fold(1.0, f64::max);
        let points: Vec<String> = seconds
            .iter()
            .enumerate()
            .map(|(at, second)| format!("{:.1},{:.1}", x(at), bottom - STRIP * figure(second) / top))
            .collect();
        let _ = writeln!(
            svg,
            "<text x=\"{MARGIN}\" y=\"{}\">{name}, up to {top:.1}</text>\n\
             <line x1=\"{MARGIN}\" y1=\"{bottom}\" x2=\"{}\" y2=\"{bottom}\" stroke=\"#999\"/>\n\
             <polyline points=\"{}\" fill=\"none\" stroke=\"#1f5fa8\" stroke-width=\"1.5\"/>",
            bottom - STRIP - 6.0,
            MARGIN + WIDTH,
            points.join(" ")
        );
    }
    let _ = writeln!(svg, "<text x=\"{MARGIN}\" y=\"{}\">{} seconds</text>\n</svg>", height - 10.0, seconds.len());
    svg
}
