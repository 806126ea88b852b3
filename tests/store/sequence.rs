//! The sequence and its log.

use crate::world::{SEED, deadline, rejected, sequence};
use grove_shared_cache::protocol::{LogRecord, Notes, Scope};

/// What is no sequence, though some of it is a number to somebody.
const ODD: [&str; 12] = [
    "",
    "canary",
    "-5",
    "0",
    "05",
    "+5",
    " 5",
    "5 ",
    "0x10",
    "1e3",
    "5.0",
    "99999999999999999999",
];

contract! {
    there_is_no_sequence_until_one_is_begun => |world| {
        assert_eq!(world.validate().await.sequence, None);
        world.tell(&["DEL", &world.keys.sequence]).await.unwrap();
        world.seed().await;
        assert_eq!(world.validate().await.sequence, Some(sequence(SEED)));
        let other = world.store.seed(deadline(), sequence(SEED + 5)).await;
        assert_eq!(other, Ok(Some(sequence(SEED))), "whoever was first");
        assert_eq!(world.ttl(&world.keys.sequence).await, -1);
    }

    without_a_seed_nothing_is_begun => |world| {
        assert_eq!(world.store.seed(deadline(), None).await, Ok(None));
        assert_eq!(world.text(&world.keys.sequence).await, None);
        world.seed().await;
        assert_eq!(world.store.seed(deadline(), None).await, Ok(Some(sequence(SEED))));
    }

    what_is_no_sequence_is_replaced => |world| {
        for odd in ODD {
            world.put(&world.keys.sequence, odd).await;
            if odd != "0" {
                // Where it can be read as a number, it is one.
                assert_eq!(world.validate().await.sequence, None, "{odd:?}");
            }
            world.put(&world.keys.sequence, odd).await;
            world.seed().await;
            world.put(&world.keys.sequence, odd).await;
            let record = world.invalidate(&["r:a"]).await.record;
            assert_eq!((record.previous, record.sequence), (None, sequence(SEED)), "{odd:?}");
            assert_eq!(world.validate().await.sequence, Some(sequence(SEED)));
        }
        world.put_hash(&world.keys.sequence).await;
        assert_eq!(world.validate().await.sequence, None);
        world.seed().await;
        world.put_hash(&world.keys.sequence).await;
        assert_eq!(world.invalidate(&["r:a"]).await.record.sequence, sequence(SEED));
    }

    a_sequence_of_zero_is_none => |world| {
        assert_eq!(world.tell(&["INCRBY", &world.keys.sequence, "0"]).await.unwrap().integer(), Ok(0));
        assert_eq!(world.validate().await.sequence, None);
        world.seed().await;
    }

    the_largest_number_is_not_gone_beyond => |world| {
        world.put(&world.keys.sequence, "9007199254740990").await;
        let last = world.invalidate(&["r:a"]).await.record;
        assert_eq!(last.sequence, sequence(9_007_199_254_740_991));
        let anew = world.invalidate(&["r:a"]).await.record;
        assert_eq!((anew.previous, anew.sequence), (None, sequence(SEED)));
    }

    a_validation_lists_and_looks_beside_the_sequence => |world| {
        world.seed().await;
        world.put("contract-beside", "ü").await;
        let look = vec!["contract-beside".to_owned(), world.keys.log.clone()];
        let listing = Some(("a1", "line".to_owned()));
        let validated = world.store.validate(deadline(), listing, look).await.unwrap();
        assert!(validated.listed);
        assert_eq!(validated.sequence, Some(sequence(SEED)));
        assert_eq!(validated.found, [Some("ü".into()), None]);
        let fields = world.store.fields(deadline(), &["a1".into(), "a2".into()]).await;
        assert_eq!(fields, Ok(vec![Some("line".into()), None]));
        assert!(!world.validate().await.listed, "it was not asked for");
    }

    a_validation_whose_parts_fail_has_the_others_done => |world| {
        world.put_hash(&world.keys.sequence).await;
        let listing = || Some(("a1", "line".to_owned()));
        let look = vec![world.keys.sequence.clone()];
        let validated = world.store.validate(deadline(), listing(), look.clone()).await.unwrap();
        assert_eq!((validated.listed, validated.sequence, validated.found), (true, None, vec![None]));
        world.put(&world.keys.members, "text").await;
        world.seed().await;
        let validated = world.store.validate(deadline(), listing(), look).await.unwrap();
        assert!(!validated.listed);
        assert_eq!(validated.sequence, Some(sequence(SEED)));
        assert_eq!(validated.found, [Some(SEED.to_string())]);
    }

    the_log_chains_from_its_first_record_on => |world| {
        assert_eq!(world.store.log(deadline(), 10).await, Ok(vec![]));
        let mut made = Vec::new();
        for names in [&["r:a"][..], &["r:a", "r:*", "tag:x"], &[]] {
            made.push(world.invalidate(names).await.record);
        }
        assert_eq!(made[0].previous, None);
        assert_eq!(made[1].previous, Some(made[0].sequence));
        assert_eq!(made[1].sequence, sequence(SEED + 1));
        assert_eq!(made[2].previous, Some(made[1].sequence));
        assert_eq!(world.store.log(deadline(), 10).await, Ok(made.clone()));
        assert_eq!(world.store.log(deadline(), 2).await, Ok(made[1..].to_vec()));
    }

    a_log_that_was_lost_begins_with_a_record_that_names_the_one_before => |world| {
        let first = world.invalidate(&["r:a"]).await.record;
        world.tell(&["DEL", &world.keys.log]).await.unwrap();
        assert_eq!(world.store.log(deadline(), 10).await, Ok(vec![]));
        let second = world.invalidate(&["r:a"]).await.record;
        assert_eq!(second.previous, Some(first.sequence), "so that the gap is seen");
        assert_eq!(world.store.log(deadline(), 10).await, Ok(vec![second]));
    }

    a_sequence_that_was_lost_breaks_the_chain => |world| {
        let first = world.invalidate(&["r:a"]).await.record;
        world.tell(&["DEL", &world.keys.sequence]).await.unwrap();
        let again = world.invalidate(&["r:a"]).await.record;
        assert_eq!((again.previous, again.sequence), (None, sequence(SEED)));
        assert_eq!(world.store.log(deadline(), 10).await, Ok(vec![first, again]));
    }

    what_is_no_log_is_read_as_empty_and_replaced => |world| {
        for kind in ["text", "hash"] {
            match kind {
                "text" => world.put(&world.keys.log, "canary").await,
                _ => world.put_hash(&world.keys.log).await,
            }
            assert_eq!(world.store.log(deadline(), 10).await, Ok(vec![]), "{kind}");
            let record = world.invalidate(&["r:a"]).await.record;
            assert_eq!(world.store.log(deadline(), 10).await, Ok(vec![record]), "{kind}");
            assert_eq!(world.ttl(&world.keys.log).await, -1);
        }
    }

    a_record_says_what_it_is_of => |world| {
        let mut everything = world.invalidation(&["r:*"]);
        everything.scope = Scope::Everything;
        everything.acknowledge = true;
        let record = world.commit(everything).await.record;
        let notes = Notes { acknowledge: true, members_lost: true, expelled: None };
        assert_eq!((&record.scope, &record.notes), (&Scope::Everything, &notes));
        assert_eq!(world.store.log(deadline(), 1).await, Ok(vec![record]));
    }

    the_log_is_trimmed_to_about_a_thousand => |world| {
        let mut previous = None;
        for _ in 0..1150 {
            let LogRecord { sequence, .. } = world.invalidate(&[]).await.record;
            previous = Some(sequence);
        }
        let records = world.store.log(deadline(), 5000).await.unwrap();
        assert!((1000..1150).contains(&records.len()), "{}", records.len());
        assert_eq!(records.last().map(|it| it.sequence), previous);
        for pair in records.windows(2) {
            assert_eq!(pair[1].previous, Some(pair[0].sequence));
        }
    }

    a_stranger_cannot_count_on_a_text => |world| {
        world.put(&world.keys.sequence, "canary").await;
        let answer = world.tell(&["INCRBY", &world.keys.sequence, "0"]).await;
        assert_eq!(answer, Err(rejected("ERR")));
    }
}
