//! Options and environment, checked and put together.
//!
//! An option that is wrong is a mistake in the program: it throws. The environment is the operator's: what is wrong there
//! switches its tier off and is said once in the log, because a chat must start all the same.

use crate::core::error::Error;
use crate::core::log::{THRESHOLDS, Threshold};
use reqwest::Url;
use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

pub const DEFAULT_KEY_PREFIX: &str = "grove:system-prompt";
/// Of a collection.
pub const COLLECTION_PREFIX: &str = "grove";
pub const DEFAULT_MAX_ENTRIES: f64 = 50_000.0;
/// 64 MiB.
pub const DEFAULT_MAX_BYTES: f64 = 67_108_864.0;
/// What `maxEntries` and `maxBytes` may be.
pub const MOST_ENTRIES: f64 = 10_000_000.0;
pub const LEAST_BYTES: f64 = 65_536.0;
pub const MOST_BYTES: f64 = 68_719_476_736.0;
pub const DEFAULT_TTL_SECONDS: f64 = 300.0;
/// A year.
pub const MAX_TTL_SECONDS: f64 = 31_536_000.0;
pub const DEFAULT_MAX_STALENESS_MS: f64 = 1000.0;
pub const DEFAULT_REDIS_TIMEOUT_MS: f64 = 500.0;
pub const DEFAULT_SOURCE_TIMEOUT_MS: f64 = 2000.0;
/// An hour.
pub const MAX_TIMEOUT_MS: f64 = 3_600_000.0;
const MAX_KEY_PREFIX_BYTES: usize = 200;
const MIN_SIGNING_KEY_BYTES: usize = 32;

/// What an option is called in a program and in the environment.
#[derive(Clone, Copy)]
struct Names {
    option: &'static str,
    variable: &'static str,
}

impl fmt::Display for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.variable, self.option)
    }
}

const UPSTASH_URL: Names = Names {
    option: "upstashUrl",
    variable: "UPSTASH_REDIS_REST_URL",
};
const UPSTASH_TOKEN: Names = Names {
    option: "upstashToken",
    variable: "UPSTASH_REDIS_REST_TOKEN",
};
const SIGNING_KEY: Names = Names {
    option: "signingKey",
    variable: "SYSTEM_PROMPT_SIGNING_KEY",
};
const SECOND_SIGNING_KEY: Names = Names {
    option: "secondSigningKey",
    variable: "SYSTEM_PROMPT_SECOND_SIGNING_KEY",
};
const SUPABASE_URL: Names = Names {
    option: "supabaseUrl",
    variable: "SUPABASE_URL",
};
const SUPABASE_KEY: Names = Names {
    option: "supabaseKey",
    variable: "SUPABASE_SERVICE_ROLE_KEY",
};

/// The options as a program gave them; `None` where it gave none.
#[derive(Clone, Default)]
pub struct Options {
    pub upstash_url: Option<String>,
    pub upstash_token: Option<String>,
    pub supabase_url: Option<String>,
    pub supabase_key: Option<String>,
    pub fallback_prompt: Option<String>,
    pub prompt_file: Option<String>,
    pub key_prefix: Option<String>,
    pub signing_key: Option<String>,
    pub second_signing_key: Option<String>,
    pub ttl_seconds: Option<f64>,
    pub max_staleness_ms: Option<f64>,
    pub redis_timeout_ms: Option<f64>,
    pub source_timeout_ms: Option<f64>,
    pub push: Option<bool>,
    pub log_level: Option<String>,
}

/// Where a tier is, or in one line why it is off.
pub enum Place {
    At { url: Url, token: String },
    Nowhere { reason: String },
}

/// How long things may last.
#[derive(Clone, Copy)]
pub struct Limits {
    /// Until a stored value expires.
    pub ttl_seconds: u32,
    /// The lease of a near value, and how long a flight may be joined. Zero: every read asks.
    pub max_staleness: Duration,
    pub redis_timeout: Duration,
    pub source_timeout: Duration,
}

/// Everything a cache needs to know, checked.
pub struct Settings {
    pub store: Place,
    pub supabase: Place,
    pub prompt_file: Option<PathBuf>,
    pub fallback_prompt: Option<String>,
    pub key_prefix: String,
    /// The keys that sign what is stored, the one that does so first.
    pub signing_keys: Option<(String, Option<String>)>,
    pub limits: Limits,
    /// Whether to listen for announcements.
    pub push: bool,
    pub threshold: Threshold,
    pub extra_roots: Option<PathBuf>,
}

impl Options {
    /// Checks every option by itself; the first wrong one is the error.
    pub fn validate(&self) -> Result<(), Error> {
        self.key_prefix()?;
        self.threshold()?;
        self.limits()?;
        for (names, url) in [
            (UPSTASH_URL, &self.upstash_url),
            (SUPABASE_URL, &self.supabase_url),
        ] {
            if let Some(url) = url.as_deref().map(str::trim).filter(|url| !url.is_empty()) {
                // The value is left out of the message: a URL may carry a password.
                parse_url(url)
                    .map_err(|rule| Error::config_invalid(names.option, "not usable", rule))?;
            }
        }
        for (names, token) in [
            (UPSTASH_TOKEN, &self.upstash_token),
            (SUPABASE_KEY, &self.supabase_key),
        ] {
            if let Some(rule) = token.as_deref().map(str::trim).and_then(no_token) {
                return Err(Error::config_invalid(names.option, "not usable", rule));
            }
        }
        for (names, key) in [
            (SIGNING_KEY, &self.signing_key),
            (SECOND_SIGNING_KEY, &self.second_signing_key),
        ] {
            if let Some(rule) = key.as_deref().and_then(too_short) {
                return Err(Error::config_invalid(names.option, "too short", &rule));
            }
        }
        if self.fallback_prompt.as_deref() == Some("") {
            return Err(Error::config_invalid(
                "fallbackPrompt",
                "\"\"",
                "must not be empty; leave it out for the default",
            ));
        }
        Ok(())
    }

    fn key_prefix(&self) -> Result<String, Error> {
        let prefix = self.key_prefix.as_deref().unwrap_or(DEFAULT_KEY_PREFIX);
        if (1..=MAX_KEY_PREFIX_BYTES).contains(&prefix.len())
            && prefix
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b":_.-".contains(&byte))
        {
            return Ok(prefix.to_owned());
        }
        let rule =
            format!("must be 1 to {MAX_KEY_PREFIX_BYTES} of the characters A-Z a-z 0-9 : _ . -");
        Err(Error::config_invalid("keyPrefix", &quoted(prefix), &rule))
    }

    fn threshold(&self) -> Result<Threshold, Error> {
        let level = self.log_level.as_deref().unwrap_or("info");
        let known = THRESHOLDS.iter().find(|(name, _)| *name == level);
        known.map(|(_, threshold)| *threshold).ok_or_else(|| {
            let rule = format!(
                "must be one of {}",
                THRESHOLDS.map(|(name, _)| name).join(", ")
            );
            Error::config_invalid("logLevel", &quoted(level), &rule)
        })
    }

    fn limits(&self) -> Result<Limits, Error> {
        Ok(Limits {
            ttl_seconds: whole(
                "ttlSeconds",
                self.ttl_seconds,
                DEFAULT_TTL_SECONDS,
                1.0,
                MAX_TTL_SECONDS,
            )? as u32,
            max_staleness: millis(
                "maxStalenessMs",
                self.max_staleness_ms,
                DEFAULT_MAX_STALENESS_MS,
                0.0,
            )?,
            redis_timeout: millis(
                "redisTimeoutMs",
                self.redis_timeout_ms,
                DEFAULT_REDIS_TIMEOUT_MS,
                1.0,
            )?,
            source_timeout: millis(
                "sourceTimeoutMs",
                self.source_timeout_ms,
                DEFAULT_SOURCE_TIMEOUT_MS,
                1.0,
            )?,
        })
    }

    /// Puts options and environment together, option before variable, key by key. `variable` looks up the environment.
    pub fn resolve(&self, variable: impl Fn(&str) -> Option<String>) -> Result<Settings, Error> {
        self.validate()?;
        let given = |option: &Option<String>, name: &str| {
            let text = option.clone().or_else(|| variable(name));
            text.map(|text| text.trim().to_owned())
        };
        let either = |option: &Option<String>, name: &str| {
            given(option, name).filter(|text| !text.is_empty())
        };
        let place = |url: (&Option<String>, Names), token: (&Option<String>, Names)| {
            let (url_names, token_names) = (url.1, token.1);
            let nowhere = |reason: String| Place::Nowhere { reason };
            let Some(url) = either(url.0, url_names.variable) else {
                // Somebody who set it to nothing wants to hear that it worked.
                let emptied = url.0.is_some() || variable(url_names.variable).is_some();
                let state = if emptied { "is empty" } else { "is not set" };
                return nowhere(format!("{url_names} {state}"));
            };
            let Some(token) = either(token.0, token_names.variable) else {
                return nowhere(format!("{url_names} is set, but {token_names} is not"));
            };
            if let Some(rule) = no_token(&token) {
                return nowhere(format!("{token_names} {rule}"));
            }
            match parse_url(&url) {
                Ok(url) => Place::At { url, token },
                Err(rule) => nowhere(format!("{url_names} {rule}")),
            }
        };
        // The prompt is text: its own white space is kept.
        let fallback_prompt = self
            .fallback_prompt
            .clone()
            .or_else(|| variable("FALLBACK_SYSTEM_PROMPT").filter(|text| !text.trim().is_empty()));
        // What cannot be signed as somebody wanted is not shared: an empty key is a secret that did not arrive.
        let signing_key = given(&self.signing_key, SIGNING_KEY.variable);
        let second_signing_key = either(&self.second_signing_key, SECOND_SIGNING_KEY.variable);
        let keys = [
            (SIGNING_KEY, &signing_key),
            (SECOND_SIGNING_KEY, &second_signing_key),
        ];
        let unsigned = keys
            .into_iter()
            .find_map(|(names, key)| Some(format!("{names} {}", too_short(key.as_deref()?)?)))
            .or_else(|| {
                (signing_key.is_none() && second_signing_key.is_some())
                    .then(|| format!("{SECOND_SIGNING_KEY} is set, but {SIGNING_KEY} is not"))
            });
        Ok(Settings {
            store: match unsigned {
                Some(reason) => Place::Nowhere { reason },
                None => place(
                    (&self.upstash_url, UPSTASH_URL),
                    (&self.upstash_token, UPSTASH_TOKEN),
                ),
            },
            supabase: place(
                (&self.supabase_url, SUPABASE_URL),
                (&self.supabase_key, SUPABASE_KEY),
            ),
            prompt_file: either(&self.prompt_file, "SYSTEM_PROMPT_FILE").map(PathBuf::from),
            fallback_prompt,
            key_prefix: self.key_prefix()?,
            signing_keys: signing_key.map(|key| (key, second_signing_key)),
            limits: self.limits()?,
            push: self.push.unwrap_or(true),
            threshold: self.threshold()?,
            extra_roots: variable("NODE_EXTRA_CA_CERTS")
                .filter(|path| !path.is_empty())
                .map(PathBuf::from),
        })
    }
}

pub fn millis(
    option: &str,
    value: Option<f64>,
    default: f64,
    least: f64,
) -> Result<Duration, Error> {
    whole(option, value, default, least, MAX_TIMEOUT_MS).map(|ms| Duration::from_millis(ms as u64))
}

/// The number, or the default, if it is a whole one within these bounds.
pub fn whole(
    option: &str,
    value: Option<f64>,
    default: f64,
    least: f64,
    most: f64,
) -> Result<f64, Error> {
    let value = value.unwrap_or(default);
    if is_whole(value, least, most) {
        Ok(value)
    } else {
        let rule = format!("must be a whole number from {least} to {most}");
        Err(Error::config_invalid(
            option,
            &as_javascript_shows(value),
            &rule,
        ))
    }
}

/// Whether a number from JavaScript is a whole one within these bounds; NaN is not.
pub fn is_whole(value: f64, least: f64, most: f64) -> bool {
    value.fract() == 0.0 && (least..=most).contains(&value)
}

pub fn as_javascript_shows(number: f64) -> String {
    match number {
        f64::INFINITY => "Infinity".into(),
        f64::NEG_INFINITY => "-Infinity".into(),
        huge if huge.abs() >= 1e21 => format!("{huge:e}"),
        number => number.to_string(),
    }
}

/// What a token has to be, if this is none; an empty one is none that was given.
fn no_token(token: &str) -> Option<&'static str> {
    if token.starts_with(['"', '\'']) {
        return Some("must not have quotes around it");
    }
    let possible = token.bytes().all(|byte| byte.is_ascii_graphic());
    (!possible).then_some("must not hold white space or characters beyond ASCII")
}

/// What a signing key has to be, if this is none.
fn too_short(key: &str) -> Option<String> {
    (key.trim().len() < MIN_SIGNING_KEY_BYTES)
        .then(|| format!("must have at least {MIN_SIGNING_KEY_BYTES} characters, such as `openssl rand -hex 32` gives"))
}

/// The error says what the URL must be, and holds no part of it.
fn parse_url(text: &str) -> Result<Url, &'static str> {
    if text.starts_with(['"', '\'']) {
        return Err("must not have quotes around it");
    }
    let url = Url::parse(text).map_err(|_| "must be a URL such as https://example.com")?;
    let loopback = match url.host() {
        Some(host) => {
            let host = host.to_string();
            let address = host
                .trim_start_matches('[')
                .trim_end_matches(']')
                .parse::<IpAddr>();
            host == "localhost" || address.is_ok_and(|address| address.is_loopback())
        }
        None => false,
    };
    if !url.username().is_empty() || url.password().is_some() {
        return Err("must not hold a user name or a password");
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("must not hold a query or a fragment");
    }
    match url.scheme() {
        "https" if url.has_host() => Ok(url),
        "http" if loopback => Ok(url),
        _ => Err("must begin with https:// (http:// is for loopback addresses only)"),
    }
}

fn quoted(text: &str) -> String {
    format!("{text:?}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(options: Options) -> String {
        options
            .validate()
            .expect_err("the options are wrong")
            .message
    }

    fn resolved(options: Options, environment: &[(&str, &str)]) -> Settings {
        let variable = |name: &str| {
            environment
                .iter()
                .find(|(key, _)| *key == name)
                .map(|(_, value)| value.to_string())
        };
        options.resolve(variable).unwrap()
    }

    fn reason(place: Place) -> String {
        match place {
            Place::At { .. } => "on".into(),
            Place::Nowhere { reason } => reason,
        }
    }

    #[test]
    fn a_wrong_number_is_refused_by_name_value_and_rule() {
        for (value, shown) in [
            (f64::NAN, "NaN"),
            (-1.0, "-1"),
            (0.5, "0.5"),
            (0.0, "0"),
            (1e300, "1e300"),
            (f64::INFINITY, "Infinity"),
        ] {
            let options = Options {
                ttl_seconds: Some(value),
                ..Options::default()
            };
            let message = message(options);
            assert!(
                message.starts_with(&format!(
                    "option ttlSeconds is {shown}: it must be a whole number from 1 to"
                )),
                "{message}"
            );
        }
        let never_stale = Options {
            max_staleness_ms: Some(0.0),
            ..Options::default()
        };
        assert_eq!(
            resolved(never_stale, &[]).limits.max_staleness,
            Duration::ZERO
        );
    }

    #[test]
    fn a_url_must_be_https_unless_it_is_loopback() {
        for url in [
            "https://x.upstash.io",
            "http://127.0.0.1:8079",
            "http://localhost:1",
            "http://[::1]:1",
            " https://x.io\n",
            "",
        ] {
            let options = Options {
                upstash_url: Some(url.into()),
                ..Options::default()
            };
            assert!(options.validate().is_ok(), "{url}");
        }
        for url in [
            "http://x.upstash.io",
            "x.upstash.io",
            "redis://127.0.0.1",
            "http://localhost.evil.io",
            "https://",
            "https://user:password@x.upstash.io",
            "https://token@x.upstash.io",
            "\"https://x.upstash.io\"",
        ] {
            let options = Options {
                upstash_url: Some(url.into()),
                ..Options::default()
            };
            assert!(
                message(options).starts_with("option upstashUrl is not usable: it must "),
                "{url}"
            );
        }
    }

    #[test]
    fn no_part_of_a_wrong_url_is_in_the_message() {
        let options = Options {
            supabase_url: Some("http://user:canary@db.io".into()),
            ..Options::default()
        };
        assert!(!message(options).contains("canary"));
        let settings = resolved(
            Options::default(),
            &[
                ("SUPABASE_URL", "http://u:canary@db.io"),
                ("SUPABASE_SERVICE_ROLE_KEY", "canary"),
            ],
        );
        assert!(!reason(settings.supabase).contains("canary"));
    }

    #[test]
    fn a_prefix_or_a_level_that_cannot_be_is_refused() {
        for prefix in ["", "a b", "grüße", "a*", &"x".repeat(201)] {
            let options = Options {
                key_prefix: Some(prefix.into()),
                ..Options::default()
            };
            assert!(
                message(options).starts_with("option keyPrefix is "),
                "{prefix}"
            );
        }
        let options = Options {
            log_level: Some("loud".into()),
            ..Options::default()
        };
        assert_eq!(
            message(options),
            "option logLevel is \"loud\": it must be one of debug, info, warn, error, silent"
        );
    }

    #[test]
    fn an_option_comes_before_its_variable_and_an_empty_one_switches_off() {
        let environment = [
            ("UPSTASH_REDIS_REST_URL", "https://env.io"),
            ("UPSTASH_REDIS_REST_TOKEN", " env-token\n"),
        ];
        let Place::At { url, token } = resolved(Options::default(), &environment).store else {
            panic!("the store is off")
        };
        assert_eq!(
            (url.as_str(), token.as_str()),
            ("https://env.io/", "env-token")
        );

        let option = Options {
            upstash_url: Some("https://option.io".into()),
            ..Options::default()
        };
        let Place::At { url, token } = resolved(option, &environment).store else {
            panic!("the store is off")
        };
        assert_eq!(
            (url.as_str(), token.as_str()),
            ("https://option.io/", "env-token")
        );

        let off = Options {
            upstash_url: Some(String::new()),
            ..Options::default()
        };
        assert_eq!(
            reason(resolved(off, &environment).store),
            "UPSTASH_REDIS_REST_URL (upstashUrl) is empty"
        );
    }

    #[test]
    fn a_wrong_environment_switches_its_tier_off_and_says_why() {
        let url = ("UPSTASH_REDIS_REST_URL", "https://x.io");
        assert_eq!(
            reason(resolved(Options::default(), &[url]).store),
            "UPSTASH_REDIS_REST_URL (upstashUrl) is set, but UPSTASH_REDIS_REST_TOKEN (upstashToken) is not"
        );
        let insecure = [
            ("UPSTASH_REDIS_REST_URL", "http://x.io"),
            ("UPSTASH_REDIS_REST_TOKEN", "t"),
        ];
        assert!(
            reason(resolved(Options::default(), &insecure).store)
                .starts_with("UPSTASH_REDIS_REST_URL (upstashUrl) must begin with https://")
        );
        let broken = [url, ("UPSTASH_REDIS_REST_TOKEN", "two\nlines")];
        assert_eq!(
            reason(resolved(Options::default(), &broken).store),
            "UPSTASH_REDIS_REST_TOKEN (upstashToken) must not hold white space or characters beyond ASCII"
        );
    }

    #[test]
    fn what_cannot_be_signed_as_somebody_wanted_is_not_shared() {
        const KEY: &str = "0123456789abcdef0123456789abcdef";
        let store = [
            ("UPSTASH_REDIS_REST_URL", "https://x.upstash.io"),
            ("UPSTASH_REDIS_REST_TOKEN", "token"),
        ];
        let with = |first: &'static str, second: &'static str| {
            let keys = [
                ("SYSTEM_PROMPT_SIGNING_KEY", first),
                ("SYSTEM_PROMPT_SECOND_SIGNING_KEY", second),
            ];
            let settings = resolved(Options::default(), &[&store[..], &keys].concat());
            (reason(settings.store), settings.signing_keys)
        };
        assert_eq!(reason(resolved(Options::default(), &store).store), "on");
        assert_eq!(with(KEY, "").0, "on");
        assert_eq!(
            with(KEY, "another of at least 32 characters"),
            (
                "on".into(),
                Some((KEY.into(), Some("another of at least 32 characters".into())))
            )
        );
        for (first, second, name) in [
            (
                "canary",
                "",
                "SYSTEM_PROMPT_SIGNING_KEY (signingKey) must have at least 32",
            ),
            (
                KEY,
                "canary",
                "SYSTEM_PROMPT_SECOND_SIGNING_KEY (secondSigningKey) must have at least 32",
            ),
            (
                "",
                KEY,
                "SYSTEM_PROMPT_SIGNING_KEY (signingKey) must have at least 32",
            ),
        ] {
            let (reason, _) = with(first, second);
            assert!(
                reason.starts_with(name) && !reason.contains("canary"),
                "{reason}"
            );
        }
        let second = [("SYSTEM_PROMPT_SECOND_SIGNING_KEY", KEY)];
        let settings = resolved(Options::default(), &[&store[..], &second].concat());
        assert_eq!(
            reason(settings.store),
            "SYSTEM_PROMPT_SECOND_SIGNING_KEY (secondSigningKey) is set, but SYSTEM_PROMPT_SIGNING_KEY (signingKey) is not"
        );
    }

    #[test]
    fn a_signing_key_that_is_too_short_is_refused_and_not_shown() {
        for options in [
            Options {
                signing_key: Some("canary".into()),
                ..Options::default()
            },
            Options {
                second_signing_key: Some("canary".into()),
                ..Options::default()
            },
        ] {
            let message = message(options);
            assert!(
                message.contains("igningKey is too short: it must have at least 32 characters"),
                "{message}"
            );
            assert!(!message.contains("canary"), "{message}");
        }
    }

    #[test]
    fn a_token_that_cannot_be_and_a_url_with_more_than_a_place_are_refused_and_not_shown() {
        let token = |text: &str| Some(text.to_owned());
        for (options, rule) in [
            (
                Options {
                    upstash_token: token("can\nary"),
                    ..Options::default()
                },
                "white space",
            ),
            (
                Options {
                    supabase_key: token("\"canary\""),
                    ..Options::default()
                },
                "quotes",
            ),
            (
                Options {
                    upstash_url: token("https://x.upstash.io/?canary"),
                    ..Options::default()
                },
                "a query",
            ),
            (
                Options {
                    supabase_url: token("https://x.supabase.co/#canary"),
                    ..Options::default()
                },
                "a fragment",
            ),
        ] {
            let message = message(options);
            assert!(
                message.contains(rule) && !message.contains("canary"),
                "{message}"
            );
        }
    }
}
