//! What is told about one frame.

use std::time::Duration;

use serde_json::{Map, Value as Json, json};

use super::node::Node;

/// Bytes that were refused: what, where, why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The class of fault.
    pub kind: String,
    /// The field.
    pub what: String,
    /// Octet within the layer where the field starts.
    pub offset: usize,
    /// The offending value.
    pub value: Option<u64>,
    /// The whole sentence.
    pub message: String,
}

impl Fault {
    /// A fault of this program's own layers.
    pub fn new(kind: &str, what: &str, offset: usize, message: impl Into<String>) -> Self {
        Self {
            kind: kind.into(),
            what: what.into(),
            offset,
            value: None,
            message: message.into(),
        }
    }

    fn to_json(&self) -> Json {
        let mut object = Map::new();
        object.insert("kind".into(), json!(self.kind));
        object.insert("what".into(), json!(self.what));
        object.insert("offset".into(), json!(self.offset));
        if let Some(value) = self.value {
            object.insert("value".into(), json!(value));
        }
        object.insert("message".into(), json!(self.message));
        Json::Object(object)
    }
}

/// One protocol layer of a frame.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Layer {
    /// `ISAKMP`, `ESP`, `AH`, `GRE`, `VRRP`, …
    pub protocol: &'static str,
    /// The exchange of an ISAKMP message.
    pub exchange: Option<String>,
    /// Names of its payloads, in order (decrypted ones included).
    pub payloads: Vec<String>,
    /// Its fields.
    pub fields: Vec<Node>,
    /// Why a part was refused.
    pub error: Option<Fault>,
    /// A remark, for example why it stays encrypted.
    pub note: Option<String>,
    /// It was encrypted and is shown in the clear.
    pub decrypted: bool,
}

impl Layer {
    /// A layer of `protocol`.
    pub fn new(protocol: &'static str) -> Self {
        Self {
            protocol,
            ..Self::default()
        }
    }

    fn to_json(&self, object: &mut Map<String, Json>) {
        object.insert("protocol".into(), json!(self.protocol));
        if let Some(exchange) = &self.exchange {
            object.insert("exchange".into(), json!(exchange));
        }
        if self.protocol == "ISAKMP" {
            object.insert("payloads".into(), json!(self.payloads));
        }
        let mut fields = Node::group("fields");
        fields.children.clone_from(&self.fields);
        object.insert("fields".into(), fields.to_json());
        if self.decrypted {
            object.insert("decrypted".into(), json!(true));
        }
        if let Some(note) = &self.note {
            object.insert("note".into(), json!(note));
        }
        if let Some(error) = &self.error {
            object.insert("error".into(), error.to_json());
        }
    }

    /// `Identity Protection: SA, VID` or `ESP`.
    pub fn summary(&self) -> String {
        match (&self.exchange, self.payloads.is_empty()) {
            (Some(exchange), false) => format!("{exchange}: {}", self.payloads.join(", ")),
            (Some(exchange), true) => exchange.clone(),
            (None, _) => self.protocol.into(),
        }
    }
}

/// One frame: addresses and layers, the outermost layer of the suite first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Number of the frame in its file, from 1.
    pub frame: u64,
    /// Time stamp.
    pub time: Duration,
    /// Address (and port) of the sender.
    pub source: String,
    /// Address (and port) of the receiver.
    pub destination: String,
    /// UDP checksum, when there is one: does it fit?
    pub udp_checksum: Option<bool>,
    /// Layers.
    pub layers: Vec<Layer>,
}

impl Report {
    /// One line of JSON. Layers behind the first one are listed under `inner`.
    pub fn to_json(&self) -> Json {
        let mut object = Map::new();
        object.insert("frame".into(), json!(self.frame));
        object.insert(
            "time".into(),
            json!(format!(
                "{}.{:06}",
                self.time.as_secs(),
                self.time.subsec_micros()
            )),
        );
        object.insert("source".into(), json!(self.source));
        object.insert("destination".into(), json!(self.destination));
        let mut layers = self.layers.iter();
        if let Some(first) = layers.next() {
            first.to_json(&mut object);
        }
        let inner: Vec<Json> = layers
            .map(|layer| {
                let mut object = Map::new();
                layer.to_json(&mut object);
                Json::Object(object)
            })
            .collect();
        if !inner.is_empty() {
            object.insert("inner".into(), Json::Array(inner));
        }
        Json::Object(object)
    }

    /// The tree.
    pub fn to_text(&self) -> String {
        let mut out = format!(
            "#{} {}.{:06} {} → {}\n",
            self.frame,
            self.time.as_secs(),
            self.time.subsec_micros(),
            self.source,
            self.destination
        );
        for (index, layer) in self.layers.iter().enumerate() {
            let depth = index.saturating_add(1);
            let indent = "  ".repeat(depth);
            out.push_str(&format!("{indent}{}", layer.protocol));
            if let Some(exchange) = &layer.exchange {
                out.push_str(&format!(" {exchange}"));
            }
            if !layer.payloads.is_empty() {
                out.push_str(&format!(" [{}]", layer.payloads.join(", ")));
            }
            if layer.decrypted {
                out.push_str(" (decrypted)");
            }
            out.push('\n');
            for field in &layer.fields {
                field.to_text(depth.saturating_add(1), &mut out);
            }
            if let Some(note) = &layer.note {
                out.push_str(&format!("{indent}  note: {note}\n"));
            }
            if let Some(error) = &layer.error {
                out.push_str(&format!("{indent}  error: {}\n", error.message));
            }
        }
        out
    }
}
