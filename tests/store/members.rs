//! The list of members.

use crate::world::{SEED, deadline, rejected, sequence};
use grove_shared_cache::protocol::Roster;

const LINE: &str = r#"{"applied":7,"leaseMs":1000,"at":5}"#;

contract! {
    an_instance_is_listed_until_it_leaves => |world| {
        let nobody = Roster { members: vec![], unsettled: Some(String::new()) };
        assert_eq!(world.store.roster(deadline()).await, Ok(nobody.clone()));
        for id in ["a1", "a2"] {
            world.store.list(deadline(), id, LINE).await.unwrap();
        }
        let mut roster = world.store.roster(deadline()).await.unwrap();
        roster.members.sort_by(|one, other| one.0.cmp(&other.0));
        let ids: Vec<_> = roster.members.iter().map(|(id, _, line)| (&**id, &**line)).collect();
        assert_eq!(ids, [("a1", LINE), ("a2", LINE)]);
        let ids = ["a2", "a3", "a1"].map(str::to_owned);
        let fields = world.store.fields(deadline(), &ids).await.unwrap();
        assert_eq!(fields, [Some(LINE.into()), None, Some(LINE.into())]);
        world.store.leave(deadline(), "a1").await.unwrap();
        world.store.leave(deadline(), "a1").await.unwrap();
        assert_eq!(world.store.roster(deadline()).await.unwrap().members.len(), 1);
        world.store.leave(deadline(), "a2").await.unwrap();
        assert_eq!(world.store.roster(deadline()).await, Ok(nobody));
        assert_eq!(world.ttl(&world.keys.members).await, -2, "an empty list is none");
    }

    nothing_is_made_by_looking => |world| {
        world.store.roster(deadline()).await.unwrap();
        world.store.fields(deadline(), &["a1".into()]).await.unwrap();
        world.store.leave(deadline(), "a1").await.unwrap();
        world.store.settle(deadline(), "").await.unwrap();
        world.store.expel(deadline(), sequence(SEED), "a1", LINE).await.unwrap();
        assert_eq!(world.ttl(&world.keys.members).await, -2);
        assert_eq!(world.ttl(&world.keys.sequence).await, -2);
        assert_eq!(world.ttl(&world.keys.log).await, -2);
    }

    a_silent_member_is_marked_then_removed => |world| {
        world.seed().await;
        world.store.list(deadline(), "a1", LINE).await.unwrap();
        let expel = async |field: &str| {
            world.store.expel(deadline(), sequence(SEED), "a1", field).await.unwrap()
        };
        assert_eq!(expel("something else").await, None, "it has said something since");
        let marked = expel(LINE).await.unwrap();
        assert_eq!(marked, format!("-{} {LINE}", SEED + 1));
        let records = world.store.log(deadline(), 10).await.unwrap();
        assert_eq!(records.len(), 1);
        assert_eq!(records[0].notes.expelled.as_deref(), Some("a1"));
        assert_eq!((records[0].previous, records[0].sequence), (Some(sequence(SEED)), sequence(SEED + 1)));
        let roster = world.store.roster(deadline()).await.unwrap();
        assert!(roster.members[0].1.expelled);
        assert_eq!(expel(LINE).await, None, "it is marked since");
        assert_eq!(expel(&marked).await, None);
        assert!(world.store.roster(deadline()).await.unwrap().members.is_empty());
        assert_eq!(world.store.log(deadline(), 10).await.unwrap().len(), 1);
    }

    an_expulsion_begins_a_sequence_where_there_is_none => |world| {
        world.store.list(deadline(), "a1", LINE).await.unwrap();
        let marked = world.store.expel(deadline(), sequence(SEED), "a1", LINE).await.unwrap();
        assert_eq!(marked, Some(format!("-{SEED} {LINE}")));
        assert_eq!(world.validate().await.sequence, Some(sequence(SEED)));
    }

    a_list_is_whole_once_it_says_so => |world| {
        world.tell(&["HSET", &world.keys.members, "~", "7"]).await.unwrap();
        world.store.settle(deadline(), "6").await.unwrap();
        assert_eq!(world.store.roster(deadline()).await.unwrap().unsettled, Some("7".into()));
        world.store.settle(deadline(), "7").await.unwrap();
        assert_eq!(world.store.roster(deadline()).await.unwrap().unsettled, None);
    }

    what_is_no_list_takes_no_member => |world| {
        world.put(&world.keys.members, "canary").await;
        let refused = rejected("WRONGTYPE");
        assert_eq!(world.store.list(deadline(), "a1", LINE).await, Err(refused.clone()));
        assert_eq!(world.store.leave(deadline(), "a1").await, Err(refused.clone()));
        assert_eq!(world.store.roster(deadline()).await, Err(refused.clone()));
        assert_eq!(world.store.fields(deadline(), &["a1".into()]).await, Err(refused));
        assert_eq!(world.store.settle(deadline(), "7").await, Ok(()));
        assert_eq!(world.store.expel(deadline(), sequence(SEED), "a1", LINE).await, Ok(None));
        assert_eq!(world.text(&world.keys.members).await, Some("canary".into()));
    }
}
