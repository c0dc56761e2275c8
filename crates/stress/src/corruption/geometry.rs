use data::Random;

use crate::canvas::Canvas;
use crate::draws::{between, either_way};

pub fn shear(image: &Canvas, random: &mut Random) -> Canvas {
    let lean = either_way(random, 20.0, 30.0).to_radians().tan();
    about_centre(image, [[1.0, lean], [0.0, 1.0]])
}

pub fn scale(image: &Canvas, random: &mut Random) -> Canvas {
    let inverse = 1.0 / between(random, 1.0 / 2.0, 2.0 / 3.0);
    about_centre(image, [[inverse, 0.0], [0.0, inverse]])
}

pub fn rotate(image: &Canvas, random: &mut Random) -> Canvas {
    let (sin, cos) = either_way(random, 25.0, 40.0).to_radians().sin_cos();
    about_centre(image, [[cos, sin], [-sin, cos]])
}

pub fn translate(image: &Canvas, random: &mut Random) -> Canvas {
    let units = image.units();
    let [right, down] = units.map(|unit| (either_way(random, 3.0, 5.0) * unit).round() as isize);
    image.alike(|x, y| image.at(x as isize - right, y as isize - down))
}

/// The image under a linear map about its centre; `inverse` leads from the result to the image.
fn about_centre(image: &Canvas, inverse: [[f64; 2]; 2]) -> Canvas {
    let [centre_x, centre_y] = [image.width, image.height].map(|side| (side - 1) as f64 / 2.0);
    image.alike(|x, y| {
        let (x, y) = (x as f64 - centre_x, y as f64 - centre_y);
        image.sample(
            centre_x + inverse[0][0] * x + inverse[0][1] * y,
            centre_y + inverse[1][0] * x + inverse[1][1] * y,
        )
    })
}
