//! A record as an entry of an archive (HAR 1.2, "HTTP Archive (HAR) format", sections 4 and 5).

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hyper::header::{
    CONTENT_ENCODING, CONTENT_TYPE, COOKIE, HeaderName, HeaderValue, LOCATION, SET_COOKIE,
};
use hyper::{HeaderMap, Method, Version};
use serde_json::{Map, Value, json};

use super::coding::{Plain, undo};
use super::messages::{is_cut, messages};
use crate::interceptor::records::{Half, Record, time};

/// What an archive says of a record. Fields of dockline's own begin with `_`, as the format wants it.
pub(super) fn entry(record: &Record) -> Value {
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
    if let Some(messages) = messages(record) {
        entry["_resourceType"] = "websocket".into();
        entry["_webSocketMessages"] = messages.into();
        if is_cut(&record.request) || is_cut(&record.response) {
            entry["comment"] = "not all that passed is kept".into();
        }
    }
    entry
}

fn request(record: &Record) -> Value {
    let half = &record.request;
    let mut request = json!({
        "method": record.method.as_str(),
        "url": url(record),
        "httpVersion": version(half.version),
        "cookies": sent_cookies(&half.headers),
        "headers": headers(&half.headers),
        "queryString": query(&record.url),
        "headersSize": -1,
        "bodySize": half.body.size,
    });
    if half.messages.is_none() && !half.body.bytes().is_empty() {
        let mut data = body(half);
        // The format knows these of answers alone.
        for field in ["encoding", "size", "compression"] {
            if let Some(value) = data.remove(field).filter(|_| field == "encoding") {
                data.insert(format!("_{field}"), value);
            }
        }
        request["postData"] = data.into();
    }
    request
}

/// What was asked for with CONNECT is no URL, and readers insist on one.
fn url(record: &Record) -> String {
    if record.method == Method::CONNECT {
        return format!("tcp://{}", record.url);
    }
    record.url.clone()
}

fn response(record: &Record) -> Value {
    let half = &record.response;
    let content = body(half);
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

/// A body's type and size and, if it was kept, its text as it was before it was coded: in base64 where it is none.
fn body(half: &Half) -> Map<String, Value> {
    let mut content = Map::new();
    content.insert(
        "mimeType".to_owned(),
        text(&half.headers, &CONTENT_TYPE).into(),
    );
    content.insert("size".to_owned(), half.body.size.into());
    if half.messages.is_some() || (half.body.bytes().is_empty() && half.body.size > 0) {
        return content;
    }
    let (plain, remark) = plain(half);
    if plain.bytes != half.body.bytes() {
        let (before, after) = (half.body.size, plain.bytes.len() as u64);
        content.insert("size".to_owned(), after.into());
        if plain.is_whole {
            let saved = after.cast_signed().saturating_sub_unsigned(before);
            content.insert("compression".to_owned(), saved.into());
        }
    }
    let text = if let Some(text) = as_text(&plain) {
        text.to_owned()
    } else {
        content.insert("encoding".to_owned(), "base64".into());
        BASE64_STANDARD.encode(&plain.bytes)
    };
    content.insert("text".to_owned(), text.into());
    let cut = (!plain.is_whole).then(|| format!("the first {} bytes", plain.bytes.len()));
    let remarks: Vec<_> = cut.into_iter().chain(remark).collect();
    if !remarks.is_empty() {
        content.insert("comment".to_owned(), remarks.join(", ").into());
    }
    content
}

/// What was kept, without its codings; with a remark if those cannot be undone.
fn plain(half: &Half) -> (Plain, Option<String>) {
    let (bytes, codings) = (half.body.bytes(), codings(&half.headers));
    let is_whole = half.body.is_whole();
    let undone = undo(&codings, bytes).filter(|_| !bytes.is_empty());
    if let Some(mut plain) = undone {
        plain.is_whole &= is_whole;
        return (plain, None);
    }
    let remark = (!bytes.is_empty()).then(|| format!("as it was sent, in {codings}"));
    let bytes = bytes.to_vec();
    (Plain { bytes, is_whole }, remark)
}

/// In the order in which they were applied, however many headers say it.
fn codings(headers: &HeaderMap) -> String {
    let all = headers.get_all(CONTENT_ENCODING).into_iter();
    let all: Vec<_> = all.filter_map(|value| value.to_str().ok()).collect();
    all.join(", ")
}

/// A text that was cut may end within a character.
fn as_text(plain: &Plain) -> Option<&str> {
    let bytes = &plain.bytes;
    match std::str::from_utf8(bytes) {
        Ok(text) => Some(text),
        Err(error) if !plain.is_whole && error.error_len().is_none() => {
            std::str::from_utf8(&bytes[..error.valid_up_to()]).ok()
        }
        Err(_) => None,
    }
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
