//! A record as an entry of an archive (HAR 1.2, "HTTP Archive (HAR) format", sections 4 and 5).

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hyper::header::{
    CONTENT_ENCODING, CONTENT_TYPE, COOKIE, HeaderName, HeaderValue, LOCATION, SET_COOKIE,
};
use hyper::{HeaderMap, Version};
use serde_json::{Map, Value, json};

use crate::interceptor::records::{Half, Record, time};

/// What an archive says of a record. Fields of dockline's own begin with `_`, as the format wants it.
pub(in crate::interceptor) fn entry(record: &Record) -> Value {
    let milliseconds = |duration: std::time::Duration| duration.as_secs_f64() * 1e3;
    let received = record.took.saturating_sub(record.waited);
    let mut entry = json!({
        "startedDateTime": time(record.began),
        "time": milliseconds(record.took),
        "request": request(record),
        "response": response(record),
        "cache": {},
        "timings": { "send": 0, "wait": milliseconds(record.waited), "receive": milliseconds(received) },
        "_from": record.who.name,
    });
    for (field, value) in [
        ("_container", &record.who.container),
        ("_service", &record.who.service),
        ("_project", &record.who.project),
        ("comment", &record.remark),
    ] {
        if let Some(value) = value {
            entry[field] = value.as_str().into();
        }
    }
    entry
}

fn request(record: &Record) -> Value {
    let half = &record.request;
    let mut request = json!({
        "method": record.method.as_str(),
        "url": record.url,
        "httpVersion": version(half.version),
        "cookies": sent_cookies(&half.headers),
        "headers": headers(&half.headers),
        "queryString": query(&record.url),
        "headersSize": -1,
        "bodySize": half.body.size,
    });
    if half.body.size > 0 {
        let mut data = body(half);
        data.insert("params".to_owned(), json!([]));
        request["postData"] = data.into();
    }
    request
}

fn response(record: &Record) -> Value {
    let half = &record.response;
    let mut content = body(half);
    content.insert("size".to_owned(), half.body.size.into());
    let status = record.status;
    json!({
        "status": status.map_or(0, |status| status.as_u16()),
        "statusText": status.and_then(|status| status.canonical_reason()).unwrap_or_default(),
        "httpVersion": version(half.version),
        "cookies": given_cookies(&half.headers),
        "headers": headers(&half.headers),
        "content": content,
        "redirectURL": text(&half.headers, &LOCATION),
        "headersSize": -1,
        "bodySize": half.body.size,
    })
}

/// A body's type and, if it was kept, its text: as it is where it is text, else in base64.
fn body(half: &Half) -> Map<String, Value> {
    let mut content = Map::new();
    content.insert(
        "mimeType".to_owned(),
        text(&half.headers, &CONTENT_TYPE).into(),
    );
    let bytes = half.body.bytes();
    let coding = text(&half.headers, &CONTENT_ENCODING);
    let mut remarks = Vec::new();
    if !half.body.is_whole() {
        remarks.push(format!("the first {} bytes", bytes.len()));
    }
    if !coding.is_empty() {
        remarks.push(format!("as it was sent, in {coding}"));
    }
    let text = if let Ok(text) = std::str::from_utf8(bytes) {
        text.to_owned()
    } else {
        content.insert("encoding".to_owned(), "base64".into());
        BASE64_STANDARD.encode(bytes)
    };
    content.insert("text".to_owned(), text.into());
    if !remarks.is_empty() {
        content.insert("comment".to_owned(), remarks.join(", ").into());
    }
    content
}

fn version(version: Version) -> String {
    match version {
        Version::HTTP_2 => "HTTP/2".to_owned(),
        other => format!("{other:?}"),
    }
}

fn headers(headers: &HeaderMap) -> Vec<Value> {
    let pair = |(name, value): (&HeaderName, &HeaderValue)| json!({ "name": name.as_str(), "value": String::from_utf8_lossy(value.as_bytes()) });
    headers.iter().map(pair).collect()
}

fn text(headers: &HeaderMap, name: &HeaderName) -> String {
    let value = headers.get(name).map(HeaderValue::as_bytes);
    String::from_utf8_lossy(value.unwrap_or_default()).into_owned()
}

fn query(url: &str) -> Vec<Value> {
    let query = url.split_once('?').map_or("", |(_, query)| query);
    let pairs: Vec<(String, String)> = serde_urlencoded::from_str(query).unwrap_or_default();
    let pair = |(name, value)| json!({ "name": name, "value": value });
    pairs.into_iter().map(pair).collect()
}

fn sent_cookies(headers: &HeaderMap) -> Vec<Value> {
    let values = headers.get_all(COOKIE).into_iter();
    let texts = values.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    let pairs: Vec<_> = texts
        .flat_map(|text| text.split(';').filter_map(cookie).collect::<Vec<_>>())
        .collect();
    pairs
}

/// Their attributes are among the headers.
fn given_cookies(headers: &HeaderMap) -> Vec<Value> {
    let values = headers.get_all(SET_COOKIE).into_iter();
    let first = |value: &HeaderValue| {
        let text = String::from_utf8_lossy(value.as_bytes()).into_owned();
        cookie(text.split(';').next().unwrap_or_default())
    };
    values.filter_map(first).collect()
}

fn cookie(pair: &str) -> Option<Value> {
    let (name, value) = pair.split_once('=')?;
    Some(json!({ "name": name.trim(), "value": value.trim() }))
}
