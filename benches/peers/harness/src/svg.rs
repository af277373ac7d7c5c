//! A bar chart as SVG.

use std::fmt::Write;

const WIDTH: usize = 720;
const LABELS: usize = 270;
const LINE: usize = 26;
const TOP: usize = 48;

/// Horizontal bars from zero, longest value to the right edge.
pub(crate) fn bars(title: &str, bars: &[(String, f64)]) -> String {
    let height = TOP + LINE * bars.len() + 12;
    let longest = bars.iter().map(|(_, length)| *length).fold(1.0, f64::max);
    let room = (WIDTH - LABELS - 70) as f64;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" viewBox=\"0 0 {WIDTH} {height}\" \
         font-family=\"sans-serif\" font-size=\"13\">\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n\
         <text x=\"12\" y=\"26\" font-size=\"15\" font-weight=\"bold\">{}</text>\n",
        escaped(&format!("Time of a hit, as a multiple of ours: {title}"))
    );
    for (number, (label, length)) in bars.iter().enumerate() {
        let (y, width) = (TOP + LINE * number, length / longest * room);
        let colour = if label.starts_with("ours") { "#2a7ab0" } else { "#9aa5ad" };
        let (text, end) = (y + 14, LABELS as f64 + width + 6.0);
        let _ = writeln!(
            svg,
            "<text x=\"{}\" y=\"{text}\" text-anchor=\"end\">{}</text>\
             <rect x=\"{LABELS}\" y=\"{y}\" width=\"{width:.1}\" height=\"18\" fill=\"{colour}\"/>\
             <text x=\"{end:.1}\" y=\"{text}\">{length:.2}</text>",
            LABELS - 8,
            escaped(label)
        );
    }
    svg.push_str("</svg>\n");
    svg
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_bar_has_all_the_room_and_text_is_escaped() {
        let svg = bars("a < b", &[("ours".to_owned(), 1.0), ("theirs".to_owned(), 4.0)]);
        assert!(svg.contains("a &lt; b") && svg.contains("width=\"380.0\"") && svg.contains("width=\"95.0\""));
    }
}
