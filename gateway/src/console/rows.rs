//! Lists of requests: one row each, with the way to its page.

use jiff::Timestamp;

use super::html::Html;
use crate::access::RequestView;
use crate::lobby;

/// The most rows of a list.
const MOST: usize = 200;

pub(super) fn list(html: &mut Html, requests: &[&RequestView], now: Timestamp, none: &'static str) {
    if requests.is_empty() {
        html.raw("<p class=\"none\">").raw(none).raw("</p>\n");
        return;
    }
    html.raw("<ul class=\"rows\">\n");
    for request in requests.iter().take(MOST) {
        html.raw("<li><a href=\"/requests/").text(&request.name).raw("\"><strong>").value(&request.requester);
        html.raw("</strong> in ").value(&request.namespaces.join(", "));
        html.raw(" for ").value(&request.duration);
        if request.break_glass {
            html.raw(" <span class=\"mark\">break-glass</span>");
        }
        html.raw("<small>").value(&request.policy).raw(" · ").value(&request.name).raw(" · ");
        html.value(&lobby::state(request, now)).raw("</small>");
        if let Some(reason) = &request.reason {
            html.raw("<span class=\"reason\">").value(reason).raw("</span>");
        }
        html.raw("</a></li>\n");
    }
    html.raw("</ul>\n");
    if requests.len() > MOST {
        html.raw(
            "<p class=\"none\">There are more; <code>ssh GATEWAY requests</code> lists all of them.</p>\n",
        );
    }
}
