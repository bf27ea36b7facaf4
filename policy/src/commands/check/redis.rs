//! redis-cli: which of the server's commands only read.

use super::{changes, starts};
use crate::commands::facts::Facts;

const READS: &str = "get mget strlen getrange exists type ttl pttl expiretime scan dbsize info ping echo time lastsave llen lrange lindex hget hmget hgetall hlen hkeys hvals hexists hscan \
    smembers scard sismember srandmember sscan zrange zrangebyscore zrevrange zcard zscore zrank zcount zscan xlen xrange xrevrange xinfo pfcount bitcount getbit \
    geopos geodist touch randomkey object role";
/// Commands of several words.
const PAIRS: &str = "memory|usage memory|stats memory|doctor slowlog|get slowlog|len client|list client|info client|getname latency|latest latency|history latency|doctor cluster|info cluster|nodes \
    cluster|slots cluster|shards command|count command|info command|list pubsub|channels pubsub|numsub config|help acl|whoami function|list";
/// Flags that ask for themselves.
const ALONE: [&str; 8] = [
    "--stat",
    "--latency",
    "--latency-history",
    "--bigkeys",
    "--memkeys",
    "--hotkeys",
    "--scan",
    "--intrinsic-latency",
];

pub(super) fn look(facts: &mut Facts) {
    let mut words = facts.operands.iter().map(|word| word.to_ascii_lowercase());
    let Some(first) = words.next() else {
        if !facts
            .seen
            .iter()
            .any(|seen| ALONE.iter().any(|name| seen.is(name)) || seen.is("--help") || seen.is("--version"))
        {
            starts(
                facts,
                "without a command redis-cli takes any from its input",
                "`redis-cli INFO`, `redis-cli GET KEY`",
            );
        }
        return;
    };
    let pair = words.next().map(|second| format!("{first}|{second}"));
    let reads = READS.split_whitespace().any(|name| name == first)
        || pair.is_some_and(|pair| PAIRS.split_whitespace().any(|name| name == pair));
    if !reads {
        changes(facts, &first);
    }
}
