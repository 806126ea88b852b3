//! What JavaScript receives, as `lib/` and `index.d.ts` have it.

use crate::cache::{Answer, CachedEntry, Examination, Proof, Receipt, SharedCache, Tier, ms};
use crate::error::Error;
use crate::node::promise::error_json;
use crate::resource::Behaviours;
use napi::Env;
use napi::bindgen_prelude::{Array, Null};
use serde_json::{Map, Value, json};

/// What a read gave: `[number, content, details]`. The number is that of a value in memory, 0 for one from further away; the
/// details are JSON. Where there is no value, `content` is null and the details have an `error`.
pub fn read<'env>(
    env: &'env Env,
    entry: &CachedEntry,
    number: u64,
    answer: Result<&Answer, Error>,
) -> napi::Result<Array<'env>> {
    let mut read = env.create_array(3)?;
    read.set(0, number as f64)?;
    match answer {
        Ok(answer) if entry.is_keyed() && answer.tier == Tier::Fallback => {
            let error = Error::load_failed(&entry.definition.name, answer.fault.clone());
            let mut details = details_of(entry, answer);
            details.insert("error".into(), error_json(&error));
            read.set(1, Null)?;
            read.set(2, Value::Object(details).to_string())?;
        }
        Ok(answer) => {
            read.set(1, env.create_string(&*answer.value.content)?)?;
            read.set(2, Value::Object(details_of(entry, answer)).to_string())?;
        }
        Err(error) => {
            read.set(1, Null)?;
            read.set(2, json!({ "error": error_json(&error) }).to_string())?;
        }
    }
    Ok(read)
}

fn details_of(entry: &CachedEntry, answer: &Answer) -> Map<String, Value> {
    let value = &answer.value;
    let generation = answer.generation.as_ref();
    let mut details = if entry.is_keyed() {
        let kind = value.attributes.get("type").cloned().unwrap_or_default();
        let generation = generation.map(|generation| generation.as_str());
        Map::from_iter([
            ("kind".into(), kind),
            ("generation".into(), json!(generation)),
        ])
    } else {
        let behaviours = Behaviours::read(&value.attributes);
        let version = Some(&value.version).filter(|version| !version.is_empty());
        let generation = generation.and_then(|generation| generation.number());
        Map::from_iter([
            ("responseMode".into(), behaviours.response_mode.into()),
            ("closingBehavior".into(), behaviours.closing_behavior.into()),
            (
                "useBreadcrumbTags".into(),
                behaviours.use_breadcrumb_tags.into(),
            ),
            ("useTopicTags".into(), behaviours.use_topic_tags.into()),
            (
                "useNavigationBlocks".into(),
                behaviours.use_navigation_blocks.into(),
            ),
            ("version".into(), json!(version)),
            (
                "title".into(),
                json!(value.attributes.get("title").and_then(Value::as_str)),
            ),
            ("generation".into(), json!(generation)),
        ])
    };
    details.insert("source".into(), value.source.as_str().into());
    details.insert("fetchedAt".into(), value.loaded_at_ms.into());
    details.insert("tier".into(), answer.tier.as_str().into());
    details
}

/// An `InvalidationReceipt`.
pub fn receipt(receipt: &Receipt, proof: Option<Proof>) -> Value {
    let proof = proof.unwrap_or_default();
    let instances = proof.confirmations.into_iter().map(|one| {
        json!({
            "id": one.id,
            "confirmedAfterMs": one.confirmed.map(|(after, _)| ms(after)),
            "by": one.confirmed.map(|(_, by)| by.as_str()),
        })
    });
    json!({
        "generation": receipt.sequence.map(|sequence| sequence.number()),
        "shared": receipt.sequence.is_some(),
        "committedAt": receipt.committed_at_ms,
        "instances": instances.collect::<Value>(),
        "provenAfterMs": proof.after.map(ms),
    })
}

/// What was looked at for people; JavaScript makes a `CacheDebug` of it, or a `SystemPromptDebug`.
pub fn debug(
    cache: &SharedCache,
    prompt: Option<&CachedEntry>,
    examination: &Examination,
) -> Value {
    let context = cache.context();
    let (probe, fault) = match &examination.probe {
        Some(Ok(probe)) => (Some(probe), None),
        Some(Err(fault)) => (None, Some(fault)),
        None => (None, None),
    };
    let read = prompt
        .zip(examination.answer.as_ref())
        .map(|(prompt, answer)| {
            let details = details_of(prompt, answer);
            json!({ "content": &*answer.value.content, "details": details })
        });
    let (_, connected, _) = context.push();
    let redis = json!({
        "configured": examination.probe.is_some(),
        "reason": context.no_store,
        "reachable": probe.is_some(),
        "latencyMs": probe.map(|probe| ms(probe.latency)),
        "ttlSeconds": probe.and_then(|probe| probe.ttl_seconds),
        "invalidationPending": context.invalidation_pending(),
        "pushConnected": connected,
        "signed": cache.is_signed(),
        "breaker": context.breaker().map(|(phase, _)| phase.as_str()),
        "error": fault.map(|fault| fault.class()),
    });
    let fleet = examination.fleet.as_ref().map(|members| {
        let members = members.iter().map(|(id, member)| {
            json!({
                "id": id,
                "generation": member.applied.map(|applied| applied.number()),
                "leaseMs": ms(member.lease),
                "self": id == cache.id(),
            })
        });
        members.collect::<Value>()
    });
    json!({
        "read": read,
        "redis": redis,
        "fleet": fleet,
        "stats": cache.report(prompt),
    })
}
