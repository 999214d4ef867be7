//! Fetches a page: by reqwest with the system's roots, or by ureq with the roots that are built in.

use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let client = arguments.next().ok_or("which client?")?;
    let page = arguments.next().ok_or("which page?")?;
    let text = match client.as_str() {
        "reqwest" => reqwest::blocking::get(page)?.text()?,
        _ => ureq::get(&page).call()?.body_mut().read_to_string()?,
    };
    print!("{text}");
    Ok(())
}
