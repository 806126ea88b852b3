//! The system prompt as a resource: how a row becomes a prompt, what it is called in the log, what stands in when there
//! is none. Of the core, only this file, its options (`config`) and `wiring` know what the cached value is.

use crate::observe::log::{Event, Formatter, Level};
use crate::protocol::Value;
use crate::resource::Resource;
use serde_json::{Map, Value as Json};

/// Where the source looks: PostgREST's filter for the one active row.
pub const TABLE: &str = "system_prompts";
pub const COLUMNS: &str = "id,title,updated_at,payload";

/// The sections of a payload with their headings, in the order of the prompt.
const SECTIONS: [(&str, &str); 5] = [
    ("identity", "Identity"),
    ("voiceGuidelines", "Voice Guidelines"),
    ("structureRules", "Structure Rules"),
    ("knowledgeInstructions", "Knowledge Instructions"),
    ("boundaries", "Boundaries"),
];

const DEFAULT_RESPONSE_MODE: &str = "architect";
const DEFAULT_CLOSING_BEHAVIOR: &str = "navigation";

/// What is served when nothing was configured and no source answers.
pub const DEFAULT_FALLBACK: &str = "You are a helpful assistant.";

/// The names of the sections.
pub fn section_names() -> impl Iterator<Item = &'static str> {
    SECTIONS.iter().map(|(name, _)| *name)
}

/// Joins the sections that are there, each under its heading. The error names a section that is not a string.
pub fn assemble(payload: &Map<String, Json>) -> Result<String, String> {
    let mut sections = Vec::with_capacity(SECTIONS.len());
    for (name, heading) in SECTIONS {
        match payload.get(name) {
            None | Some(Json::Null) => {}
            Some(Json::String(text)) if text.is_empty() => {}
            Some(Json::String(text)) => sections.push(format!("## {heading}\n{text}")),
            Some(_) => return Err(format!("section {name} is not a string")),
        }
    }
    Ok(sections.join("\n\n"))
}

/// The behaviour fields of a prompt, as they are kept with it.
#[derive(Clone, Debug, PartialEq)]
pub struct Behaviours {
    pub response_mode: String,
    pub closing_behavior: String,
    pub use_breadcrumb_tags: bool,
    pub use_topic_tags: bool,
    pub use_navigation_blocks: bool,
}

impl Behaviours {
    /// From a payload or from an entry's attributes; what is missing or of another type takes the default.
    pub fn read(fields: &Map<String, Json>) -> Self {
        let text = |name: &str, default: &str| match fields.get(name).and_then(Json::as_str) {
            None | Some("") => default.to_owned(),
            Some(text) => text.to_owned(),
        };
        let flag = |name: &str| fields.get(name).and_then(Json::as_bool).unwrap_or(true);
        Behaviours {
            response_mode: text("responseMode", DEFAULT_RESPONSE_MODE),
            closing_behavior: text("closingBehavior", DEFAULT_CLOSING_BEHAVIOR),
            use_breadcrumb_tags: flag("useBreadcrumbTags"),
            use_topic_tags: flag("useTopicTags"),
            use_navigation_blocks: flag("useNavigationBlocks"),
        }
    }

    fn write(self) -> Map<String, Json> {
        Map::from_iter([
            ("responseMode".into(), self.response_mode.into()),
            ("closingBehavior".into(), self.closing_behavior.into()),
            ("useBreadcrumbTags".into(), self.use_breadcrumb_tags.into()),
            ("useTopicTags".into(), self.use_topic_tags.into()),
            (
                "useNavigationBlocks".into(),
                self.use_navigation_blocks.into(),
            ),
        ])
    }
}

pub struct SystemPrompt {
    fallback: String,
}

impl SystemPrompt {
    pub fn new(fallback: Option<String>) -> Self {
        SystemPrompt {
            fallback: fallback.unwrap_or_else(|| DEFAULT_FALLBACK.to_owned()),
        }
    }

    fn value(content: String, fields: &Map<String, Json>, source: &str, now_ms: u64) -> Value {
        Value {
            content: content.into(),
            version: String::new(),
            source: source.to_owned(),
            loaded_at_ms: now_ms,
            attributes: Behaviours::read(fields).write(),
        }
    }
}

impl Resource for SystemPrompt {
    fn value_of_row(
        &self,
        row: &Map<String, Json>,
        source: &str,
        now_ms: u64,
    ) -> Result<Value, String> {
        let Some(Json::Object(payload)) = row.get("payload") else {
            return Err("its payload is not an object".into());
        };
        let content = assemble(payload)?;
        if content.is_empty() {
            return Err("all sections of its payload are empty".into());
        }
        let mut value = Self::value(content, payload, source, now_ms);
        if let Some(version) = row.get("updated_at").and_then(Json::as_str) {
            value.version = version.to_owned();
        }
        for name in ["id", "title"] {
            if let Some(Json::String(text)) = row.get(name) {
                value
                    .attributes
                    .insert(name.to_owned(), text.as_str().into());
            }
        }
        Ok(value)
    }

    fn value_of_legacy(&self, value: Json, now_ms: u64) -> Result<Value, String> {
        let none = Map::new();
        let (content, fields) = match &value {
            Json::String(text) => (Some(text.as_str()), &none),
            Json::Object(config) => (config.get("content").and_then(Json::as_str), config),
            Json::Null => return Err("it has none".into()),
            _ => (None, &none),
        };
        let content = content
            .filter(|text| !text.is_empty())
            .ok_or("it gave neither a string nor an object with a string `content`")?;
        let source = fields
            .get("source")
            .and_then(Json::as_str)
            .unwrap_or("legacy");
        Ok(Self::value(content.to_owned(), fields, source, now_ms))
    }

    fn fallback(&self, now_ms: u64) -> Value {
        Self::value(self.fallback.clone(), &Map::new(), "fallback", now_ms)
    }

    fn title<'a>(&self, value: &'a Value) -> Option<&'a str> {
        value.attributes.get("title").and_then(Json::as_str)
    }
}

/// How much of a title or an id a line shows.
const SHOWN_CHARS: usize = 200;

impl Formatter for SystemPrompt {
    fn level(&self, event: &Event) -> Level {
        match event {
            Event::MemoryHit | Event::Hit | Event::Miss { .. } | Event::FillRefused => Level::Debug,
            Event::Loaded { fresh, .. }
            | Event::LegacyLoaded { fresh }
            | Event::Fallback { fresh } => {
                if *fresh {
                    Level::Info
                } else {
                    Level::Debug
                }
            }
            Event::Stale { fresh }
            | Event::NoActiveRow { fresh }
            | Event::UnusableRow { fresh, .. }
            | Event::LegacyFailed { fresh, .. } => {
                if *fresh {
                    Level::Warn
                } else {
                    Level::Debug
                }
            }
            Event::StoreBack | Event::SourceBack | Event::PushBack | Event::Invalidated { .. } => {
                Level::Info
            }
            Event::StoreNotConfigured { .. }
            | Event::SourceNotConfigured { .. }
            | Event::SignatureRefused { .. }
            | Event::StoreLost { .. }
            | Event::BreakerOpened { .. }
            | Event::SourceLost { .. }
            | Event::PushLost { .. }
            | Event::FillFailed { .. } => Level::Warn,
            Event::InvalidationFailed { .. } | Event::Panicked { .. } => Level::Error,
        }
    }

    fn line(&self, event: &Event) -> String {
        match event {
            Event::StoreNotConfigured { reason } => {
                format!(
                    "[SystemPrompt] No shared cache: {reason}. Each instance asks the source, and an invalidation reaches this instance only"
                )
            }
            Event::SourceNotConfigured { reason } => format!("[SystemPrompt] No source: {reason}"),
            Event::MemoryHit => "[SystemPrompt] Cache hit (memory)".into(),
            Event::Hit => "[SystemPrompt] Cache hit (Redis)".into(),
            Event::Miss { reason } => {
                format!("[SystemPrompt] Cache miss (Redis): {}", reason.as_str())
            }
            Event::SignatureRefused { reason } => format!(
                "[SystemPrompt] The prompt in Redis is not served: {}. Either somebody else writes there, or the signing key is not the same everywhere",
                reason.as_str()
            ),
            Event::Loaded { source, title, .. } => {
                let title = one_line(title.unwrap_or("untitled"));
                format!(
                    "[SystemPrompt] Loaded from {}: \"{title}\"",
                    place_name(source)
                )
            }
            Event::NoActiveRow { .. } => "[SystemPrompt] No row is active".into(),
            Event::UnusableRow { id, problem, .. } => {
                let id = one_line(id);
                format!("[SystemPrompt] Row {id} is no prompt: {problem}")
            }
            Event::LegacyLoaded { .. } => "[SystemPrompt] Loaded from the legacy source".into(),
            Event::LegacyFailed { problem, .. } => {
                format!("[SystemPrompt] legacySource gave no prompt: {problem}")
            }
            Event::Stale { .. } => {
                "[SystemPrompt] Neither Redis nor the source answers; serving the last known prompt"
                    .into()
            }
            Event::Fallback { .. } => "[SystemPrompt] Using fallback prompt".into(),
            Event::StoreLost { fault } => {
                format!("[SystemPrompt] Redis unavailable ({fault}); reading from the source")
            }
            Event::BreakerOpened { fault } => format!(
                "[SystemPrompt] Redis is asked once a second only, until it answers ({fault})"
            ),
            Event::StoreBack => "[SystemPrompt] Redis answers again".into(),
            Event::SourceLost { fault } => format!("[SystemPrompt] Source unavailable ({fault})"),
            Event::SourceBack => "[SystemPrompt] Source answers again".into(),
            Event::PushLost { fault } => format!(
                "[SystemPrompt] Push stream unavailable ({fault}); changes are seen when a lease ends"
            ),
            Event::PushBack => "[SystemPrompt] Push stream open again".into(),
            Event::FillRefused => "[SystemPrompt] Not stored: an invalidation came between".into(),
            Event::FillFailed { fault } => format!("[SystemPrompt] Not stored: {fault}"),
            Event::Invalidated { shared: true } => {
                "[Cache] System prompt invalidated (Redis)".into()
            }
            Event::Invalidated { shared: false } => {
                "[Cache] System prompt invalidated (this instance only: no shared cache)".into()
            }
            Event::Panicked { place } => {
                format!(
                    "[SystemPrompt] A mistake in grove-shared-cache, at {place}; please report it"
                )
            }
            Event::InvalidationFailed { fault } => {
                format!(
                    "[Cache] System prompt invalidation failed: {fault}; trying again until it went through"
                )
            }
        }
    }
}

/// What people wrote cannot forge a line of the log.
/// What people wrote, for a line of the log.
fn one_line(text: &str) -> String {
    let shown = text.chars().take(SHOWN_CHARS);
    let line: String = shown
        .map(|char| if char.is_control() { ' ' } else { char })
        .collect();
    if line.len() < text.len() {
        line + "…"
    } else {
        line
    }
}

fn place_name(source: &str) -> &str {
    match source {
        "supabase" => "Supabase",
        "file" => "file",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::option;
    use proptest::prelude::*;
    use serde_json::json;

    fn prompt() -> SystemPrompt {
        SystemPrompt::new(None)
    }

    fn of_row(row: Json) -> Result<Value, String> {
        prompt().value_of_row(row.as_object().unwrap(), "supabase", 1)
    }

    #[test]
    fn a_row_becomes_an_entry_with_its_version_title_and_behaviours() {
        let entry = of_row(json!({
            "id": "7", "title": "Grove", "updated_at": "2026-01-01T00:00:00.5+00:00",
            "payload": { "identity": "I am", "closingBehavior": "question", "useTopicTags": false }
        }))
        .unwrap();
        assert_eq!(&*entry.content, "## Identity\nI am");
        assert_eq!(entry.version, "2026-01-01T00:00:00.5+00:00");
        assert_eq!(prompt().title(&entry), Some("Grove"));
        let expected = Behaviours {
            response_mode: "architect".into(),
            closing_behavior: "question".into(),
            use_breadcrumb_tags: true,
            use_topic_tags: false,
            use_navigation_blocks: true,
        };
        assert_eq!(Behaviours::read(&entry.attributes), expected);
    }

    #[test]
    fn a_payload_that_is_no_prompt_is_refused_with_the_problem() {
        for (row, problem) in [
            (json!({ "id": "7" }), "its payload is not an object"),
            (json!({ "payload": "text" }), "its payload is not an object"),
            (
                json!({ "payload": ["text"] }),
                "its payload is not an object",
            ),
            (
                json!({ "payload": { "identity": 5 } }),
                "section identity is not a string",
            ),
            (
                json!({ "payload": { "identity": "I am", "boundaries": {} } }),
                "section boundaries is not a string",
            ),
            (
                json!({ "payload": {} }),
                "all sections of its payload are empty",
            ),
            (
                json!({ "payload": { "identity": "", "boundaries": null } }),
                "all sections of its payload are empty",
            ),
        ] {
            assert_eq!(of_row(row.clone()), Err(problem.to_owned()), "{row}");
        }
    }

    #[test]
    fn a_legacy_value_is_a_string_or_an_object_with_content() {
        let legacy = |value| prompt().value_of_legacy(value, 1);
        let text = legacy(json!("old prompt")).unwrap();
        assert_eq!(
            (&*text.content, text.source.as_str()),
            ("old prompt", "legacy")
        );
        let config = legacy(
            json!({ "content": "old", "source": "gcs-legacy", "responseMode": "librarian" }),
        )
        .unwrap();
        assert_eq!(
            (&*config.content, config.source.as_str()),
            ("old", "gcs-legacy")
        );
        assert_eq!(
            Behaviours::read(&config.attributes).response_mode,
            "librarian"
        );
        for nothing in [
            json!(null),
            json!(""),
            json!(5),
            json!([]),
            json!({}),
            json!({ "content": 5 }),
            json!({ "content": "" }),
        ] {
            assert!(legacy(nothing.clone()).is_err(), "{nothing}");
        }
    }

    #[test]
    fn without_a_configured_fallback_there_is_a_default() {
        assert_eq!(&*prompt().fallback(1).content, DEFAULT_FALLBACK);
        assert_eq!(
            &*SystemPrompt::new(Some("mine".into())).fallback(1).content,
            "mine"
        );
    }

    proptest! {
        /// The rule of the server this replaces, written as it is there: a heading and the text for each section that is
        /// there, a blank line between.
        #[test]
        fn assembly_follows_the_servers_rule(texts in prop::array::uniform5(option::of(".*"))) {
            let names = ["identity", "voiceGuidelines", "structureRules", "knowledgeInstructions", "boundaries"];
            let headings = ["Identity", "Voice Guidelines", "Structure Rules", "Knowledge Instructions", "Boundaries"];
            let mut payload = Map::new();
            let mut expected = String::new();
            for ((name, heading), text) in names.iter().zip(headings).zip(&texts) {
                let Some(text) = text else { continue };
                payload.insert(name.to_string(), text.as_str().into());
                if !text.is_empty() {
                    if !expected.is_empty() {
                        expected += "\n\n";
                    }
                    expected += "## ";
                    expected += heading;
                    expected += "\n";
                    expected += text;
                }
            }
            prop_assert_eq!(assemble(&payload), Ok(expected));
        }
    }
}
