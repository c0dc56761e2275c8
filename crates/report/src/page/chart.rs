//! Charts as inline SVG whose colours follow the theme of the page.

use std::ops::Range;

use maud::{Markup, PreEscaped, html};
use plotters::coord::{
    Shift,
    cartesian::Cartesian2d,
    ranged1d::{AsRangedCoord, ValueFormatter},
    types::RangedCoordf64,
};
use plotters::prelude::*;

use super::error::PageError;

/// Units of the drawing; the page scales it to the width that there is.
const SIZE: (u32, u32) = (960, 560);
const FONT: (&str, u32) = ("sans-serif", 33);

type Error = DrawingAreaErrorKind<std::io::Error>;
type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Drawing<'a, Y> = ChartContext<'a, SVGBackend<'a>, Cartesian2d<RangedCoordf64, Y>>;

/// A colour of the page. Each is drawn as an RGB value that stands for its CSS variable.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Colour {
    /// Text and axes.
    Muted,
    /// Grid lines.
    Line,
    /// The first series.
    First,
    /// The second series.
    Second,
    /// What is right.
    Good,
    /// What is wrong.
    Bad,
    /// One of many series that are told apart by nothing else, counted from 0; there are
    /// [`Self::SERIES`], and what comes after is muted.
    Series(usize),
}

impl Colour {
    /// How many series have a colour of their own.
    pub const SERIES: usize = SERIES.len();

    const NAMED: [Self; 6] = [
        Self::Muted,
        Self::Line,
        Self::First,
        Self::Second,
        Self::Good,
        Self::Bad,
    ];

    fn all() -> impl Iterator<Item = Self> {
        let series = (0..Self::SERIES).map(Self::Series);
        Self::NAMED.into_iter().chain(series)
    }

    fn rgb(self) -> RGBColor {
        let mut all = Self::all();
        let number = all.position(|colour| colour == self).unwrap_or(0);
        RGBColor(1, 2, number as u8)
    }

    /// The name of the CSS variable.
    pub fn variable(self) -> &'static str {
        match self {
            Self::Muted => "--muted",
            Self::Line => "--line",
            Self::First => "--first",
            Self::Second => "--second",
            Self::Good => "--good",
            Self::Bad => "--bad",
            Self::Series(number) => SERIES.get(number).copied().unwrap_or("--muted"),
        }
    }
}

/// The CSS variables of [`Colour::Series`].
const SERIES: [&str; 8] = [
    "--series-1",
    "--series-2",
    "--series-3",
    "--series-4",
    "--series-5",
    "--series-6",
    "--series-7",
    "--series-8",
];

/// One axis.
pub struct Axis {
    /// What it shows.
    pub label: &'static str,
    /// Its ends; what lies beyond is drawn at the end.
    pub range: Range<f64>,
    /// Whether equal steps are equal factors. The range is then widened to powers of ten.
    pub log: bool,
    /// How a value is written.
    pub format: fn(f64) -> String,
}

/// Something drawn.
pub enum Mark {
    /// A line through points.
    Line(Colour, Vec<(f64, f64)>),
    /// A thin, faint line through points: one of many.
    Thin(Colour, Vec<(f64, f64)>),
    /// A thin dashed line from point to point.
    Dashed(Colour, (f64, f64), (f64, f64)),
    /// A dot for each point.
    Dots(Colour, Vec<(f64, f64)>),
    /// A thin upright line from one value to another: at, from, to.
    Whiskers(Colour, Vec<(f64, f64, f64)>),
    /// Bars from the lower end of the axis: left, right, height.
    Bars(Colour, Vec<(f64, f64, f64)>),
}

/// A chart with its text for people who don't see it.
pub struct Chart {
    /// Begins the ids in the page; unique.
    pub id: &'static str,
    /// What it is.
    pub title: &'static str,
    /// What is to be seen in it.
    pub description: String,
    /// The horizontal axis.
    pub x: Axis,
    /// The vertical axis; its label is the business of the heading.
    pub y: Axis,
    /// From back to front.
    pub marks: Vec<Mark>,
}

impl Chart {
    /// The chart as an `svg` element.
    pub fn svg(&self) -> Result<Markup, PageError> {
        let mut svg = String::new();
        self.draw(&mut svg).map_err(|error| PageError::Chart {
            title: self.title,
            problem: error.to_string(),
        })?;
        for colour in Colour::all() {
            let RGBColor(r, g, b) = colour.rgb();
            let variable = format!("var({})", colour.variable());
            svg = svg.replace(&format!("#{r:02X}{g:02X}{b:02X}"), &variable);
        }
        let (width, height) = SIZE;
        let [name, text] = ["name", "text"].map(|part| format!("{}-{part}", self.id));
        // The element is this page's, what is drawn in it the library's.
        let body = svg.split_once('>').map_or("", |(_, body)| body);
        let body = body.trim_end().trim_end_matches("</svg>");
        Ok(html! {
            svg.chart viewBox={ "0 0 " (width) " " (height) } role="img"
                aria-labelledby={ (name) " " (text) } {
                title id=(name) { (self.title) }
                desc id=(text) { (self.description) }
                (PreEscaped(body))
            }
        })
    }

    fn draw(&self, svg: &mut String) -> Result<(), Error> {
        let root = SVGBackend::with_string(svg, SIZE).into_drawing_area();
        let Range { start, end } = self.y.range;
        if self.y.log {
            let (start, end) = decades(start, end);
            self.draw_on(&root, (start..end).log_scale(), start..end)?;
        } else {
            self.draw_on(&root, start..end, start..end)?;
        }
        root.present()
    }

    fn draw_on<'a, Y>(&self, root: &Area<'a>, y: Y, range: Range<f64>) -> Result<(), Error>
    where
        Y: AsRangedCoord<Value = f64>,
        Y::CoordDescType: ValueFormatter<f64>,
    {
        let mut drawing = ChartBuilder::on(root)
            .margin(12)
            .margin_right(56)
            .x_label_area_size(88)
            .y_label_area_size(118)
            .build_cartesian_2d(self.x.range.clone(), y)?;
        let text = FONT.into_font().color(&Colour::Muted.rgb());
        drawing
            .configure_mesh()
            .disable_x_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(Colour::Line.rgb().stroke_width(2))
            .axis_style(Colour::Line.rgb().stroke_width(2))
            .label_style(text.clone())
            .axis_desc_style(text)
            .x_labels(6)
            .y_labels(6)
            .x_desc(self.x.label)
            .x_label_formatter(&|value| (self.x.format)(*value))
            .y_label_formatter(&|value| (self.y.format)(*value))
            .draw()?;
        for mark in &self.marks {
            self.draw_mark(&mut drawing, mark, &range)?;
        }
        Ok(())
    }

    fn draw_mark<Y>(
        &self,
        drawing: &mut Drawing<'_, Y>,
        mark: &Mark,
        range: &Range<f64>,
    ) -> Result<(), Error>
    where
        Y: Ranged<ValueType = f64>,
    {
        let x = |value: f64| value.clamp(self.x.range.start, self.x.range.end);
        let y = |value: f64| value.clamp(range.start, range.end);
        let point = |&(a, b): &(f64, f64)| (x(a), y(b));
        match mark {
            Mark::Line(colour, points) => {
                let style = colour.rgb().stroke_width(4);
                drawing.draw_series(LineSeries::new(points.iter().map(point), style))?;
            }
            Mark::Thin(colour, points) => {
                let style = colour.rgb().mix(0.45).stroke_width(2);
                drawing.draw_series(LineSeries::new(points.iter().map(point), style))?;
            }
            Mark::Dashed(colour, from, to) => {
                let ends = [point(from), point(to)];
                let style = colour.rgb().stroke_width(3);
                drawing.draw_series(DashedLineSeries::new(ends, 12, 10, style))?;
            }
            Mark::Dots(colour, points) => {
                let dot = |at| Circle::new(at, 8, colour.rgb().filled());
                drawing.draw_series(points.iter().map(point).map(dot))?;
            }
            Mark::Whiskers(colour, whiskers) => {
                let style = colour.rgb().stroke_width(3);
                let whisker = |&(at, low, high): &(f64, f64, f64)| {
                    PathElement::new([(x(at), y(low)), (x(at), y(high))], style)
                };
                drawing.draw_series(whiskers.iter().map(whisker))?;
            }
            Mark::Bars(colour, bars) => {
                let bar = |&(left, right, height): &(f64, f64, f64)| {
                    Rectangle::new(
                        [(x(left), range.start), (x(right), y(height))],
                        colour.rgb().filled(),
                    )
                };
                drawing.draw_series(bars.iter().map(bar))?;
            }
        }
        Ok(())
    }
}

/// The powers of ten around a range of positive values.
fn decades(start: f64, end: f64) -> (f64, f64) {
    let power = |value: f64| value.max(1e-12).log10();
    let low = power(start).floor();
    let high = power(end).ceil().max(low + 1.0);
    (10_f64.powf(low), 10_f64.powf(high))
}

/// A share as an axis writes it.
pub fn whole_percent(share: f64) -> String {
    format!("{:.0} %", 100.0 * share)
}

/// A legend for people who see colours: name and colour of each series.
pub fn legend(entries: &[(&str, Colour)]) -> Markup {
    html! {
        ul.legend {
            @for (name, colour) in entries {
                li {
                    span.swatch style={ "background:var(" (colour.variable()) ")" } {}
                    (name)
                }
            }
        }
    }
}
