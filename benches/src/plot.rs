//! Curves, drawn as SVG with both axes logarithmic.

use std::fmt::Write;

/// Measured points under one name.
#[derive(Clone, Debug)]
pub struct Curve {
    /// What the legend says.
    pub name: String,
    /// Both coordinates above zero.
    pub points: Vec<(f64, f64)>,
}

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 420.0;
const LEFT: f64 = 80.0;
const RIGHT: f64 = 700.0;
const TOP: f64 = 50.0;
const BOTTOM: f64 = 370.0;
const COLOURS: [&str; 4] = ["#1f77b4", "#d62728", "#2ca02c", "#9467bd"];

/// Draws curves that share their axes.
#[must_use]
pub fn plot(title: &str, across: &str, up: &str, curves: &[Curve]) -> String {
    let points = || curves.iter().flat_map(|curve| &curve.points);
    let (x, y) = (
        Axis::over(points().map(|point| point.0), LEFT, RIGHT),
        Axis::over(points().map(|point| point.1), BOTTOM, TOP),
    );
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"white\"/>\n"
    );
    text(&mut svg, LEFT, 24.0, "start", title);
    text(&mut svg, RIGHT, HEIGHT - 10.0, "end", across);
    text(&mut svg, LEFT, TOP - 8.0, "middle", up);
    for power in x.powers() {
        let at = x.place(10f64.powi(power));
        line(&mut svg, (at, TOP), (at, BOTTOM));
        text(&mut svg, at, BOTTOM + 16.0, "middle", &shown(power));
    }
    for power in y.powers() {
        let at = y.place(10f64.powi(power));
        line(&mut svg, (LEFT, at), (RIGHT, at));
        text(&mut svg, LEFT - 6.0, at + 4.0, "end", &shown(power));
    }
    for (at, (curve, colour)) in curves.iter().zip(COLOURS.iter().cycle()).enumerate() {
        let places: Vec<_> =
            curve.points.iter().map(|point| format!("{:.1},{:.1}", x.place(point.0), y.place(point.1))).collect();
        put(
            &mut svg,
            format_args!(
                "<polyline fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\" points=\"{}\"/>",
                places.join(" ")
            ),
        );
        for place in &places {
            let (across, up) = place.split_once(',').unwrap_or_default();
            put(&mut svg, format_args!("<circle cx=\"{across}\" cy=\"{up}\" r=\"3\" fill=\"{colour}\"/>"));
        }
        let height = 24.0 + 16.0 * at as f64;
        put(
            &mut svg,
            format_args!(
                "<text x=\"{RIGHT}\" y=\"{height}\" text-anchor=\"end\" fill=\"{colour}\">{}</text>",
                curve.name
            ),
        );
    }
    svg.push_str("</svg>\n");
    svg
}

/// A range of whole powers of ten, between two places on the paper.
struct Axis {
    first: i32,
    last: i32,
    from: f64,
    to: f64,
}

impl Axis {
    fn over(values: impl Iterator<Item = f64> + Clone, from: f64, to: f64) -> Self {
        let (least, most) =
            values.fold((f64::MAX, f64::MIN_POSITIVE), |(least, most), value| (least.min(value), most.max(value)));
        let first = least.min(most).log10().floor() as i32;
        Self { first, last: (most.log10().ceil() as i32).max(first + 1), from, to }
    }

    fn powers(&self) -> impl Iterator<Item = i32> {
        self.first..=self.last
    }

    fn place(&self, value: f64) -> f64 {
        let part = (value.log10() - f64::from(self.first)) / f64::from(self.last - self.first);
        self.from + part * (self.to - self.from)
    }
}

fn shown(power: i32) -> String {
    match power {
        -3..0 => format!("{:.*}", power.unsigned_abs() as usize, 10f64.powi(power)),
        0..3 => format!("{}", 10u32.pow(power.unsigned_abs())),
        3..6 => format!("{}k", 10u32.pow(power.unsigned_abs() - 3)),
        6..9 => format!("{}M", 10u32.pow(power.unsigned_abs() - 6)),
        _ => format!("1e{power}"),
    }
}

fn text(svg: &mut String, x: f64, y: f64, anchor: &str, text: &str) {
    put(svg, format_args!("<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{text}</text>"));
}

fn line(svg: &mut String, from: (f64, f64), to: (f64, f64)) {
    let ((x1, y1), (x2, y2)) = (from, to);
    put(svg, format_args!("<line x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\" stroke=\"#ddd\"/>"));
}

fn put(svg: &mut String, what: std::fmt::Arguments<'_>) {
    writeln!(svg, "{what}").expect("to a string nothing fails to be written");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_point_is_on_the_paper() {
        let curve = |name: &str, points: &[(f64, f64)]| Curve { name: name.into(), points: points.to_vec() };
        let svg = plot("t", "x", "y", &[curve("a", &[(1.0, 5.0), (15_000.0, 2e5)]), curve("b", &[(1.0, 0.02)])]);
        let places = |name: &str| -> Vec<f64> {
            svg.split(&format!("{name}=\""))
                .skip(1)
                .map(|rest| rest.split('"').next().unwrap().parse().unwrap())
                .collect()
        };
        assert_eq!(places("cx").len(), 3);
        assert!(places("cx").iter().all(|x| (LEFT..=RIGHT).contains(x)));
        assert!(places("cy").iter().all(|y| (TOP..=BOTTOM).contains(y)));
        assert!(svg.contains(">10k<") && svg.ends_with("</svg>\n"));
    }
}
