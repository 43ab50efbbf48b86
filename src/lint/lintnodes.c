/*-------------------------------------------------------------------------
 *
 * lintnodes.c
 *		Findings about nodes on which replicated material is not in force.
 *
 * These are this node, and the standbys below it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "base/escape.h"
#include "cluster/nodes.h"
#include "lint/lint.h"

/* How long a node may take to put replicated material in force. */
#define IN_FORCE_WITHIN_MS 60000

#define WHAT_NODES_SAY "See sslpolicy.nodes and the server log of the node."

static const char *
what_is_replicated(ReplicatedKind kind)
{
	return kind == REPLICATED_CA ? "CAs" : "certificate revocation lists";
}

/*
 * A sentence, followed by what the node says.
 */
static char *
with_detail(char *sentence, const KindState *state)
{
	const char *detail = detail_told(state);

	return detail ? psprintf("%s: %s.", sentence, detail) : psprintf("%s.", sentence);
}

static void
report_not_in_force(Survey *survey, const char *object, ReplicatedKind kind, const KindState *state)
{
	char	   *text;

	if (state->state == NODE_SILENT)
		text = with_detail(psprintf("It is not known whether the replicated %s are in force on the node", what_is_replicated(kind)), state);
	else if (state->state == NODE_APPLYING)
		text = psprintf("The node has been applying the replicated %s for more than a minute.", what_is_replicated(kind));
	else
		text = psprintf("For more than a minute, the node has not had the replicated %s in force.", what_is_replicated(kind));
	add_finding(&survey->findings, SEVERITY_WARNING, "node_not_in_force", object, text, WHAT_NODES_SAY);
}

static void
lint_node(Survey *survey, const ClusterNode *node, ReplicatedKind kind)
{
	const KindState *state = &node->kinds[kind];
	char	   *object = psprintf("%s of node %s", replicated_kind_name(kind), quoted_name(node->name));

	switch (state->state)
	{
		case NODE_FAILED:
			add_finding(&survey->findings, SEVERITY_ERROR, "node_failed", object,
						with_detail(psprintf("The node could not put the replicated %s in place, and continues with what it had", what_is_replicated(kind)), state),
						"Fix what the node reports; it tries again at least once a minute.");
			return;
		case NODE_NEWER:
			add_finding(&survey->findings, SEVERITY_WARNING, "node_newer", object,
						with_detail("The node keeps its own certificate revocation list, which is newer than the replicated one", state),
						"Set the newer one with sslpolicy.set_crl() on the primary.");
			return;
		case NODE_FOREIGN:
			add_finding(&survey->findings, holds_other_material(state) ? SEVERITY_WARNING : SEVERITY_INFO, "node_foreign", object,
						with_detail(psprintf("sslpolicy does not write the files of the node; it only compares them with the replicated %s", what_is_replicated(kind)), state),
						"Have whoever writes these files distribute the replicated material.");
			return;
		case NODE_GONE:
			add_finding(&survey->findings, SEVERITY_INFO, "node_gone", object,
						"The node has reported since the start of this server, but is no longer connected.",
						"If the node comes back, it compares its files when it starts.");
			return;
		default:
			break;
	}
	if (is_overdue(node, kind, IN_FORCE_WITHIN_MS))
		report_not_in_force(survey, object, kind, state);
}

void
lint_nodes(Survey *survey)
{
	List	   *nodes = list_nodes();
	ListCell   *cell;

	for (int kind = 0; kind < NUM_REPLICATED_KINDS; kind++)
	{
		if (own_state(kind).state == NODE_LOCAL)
			continue;
		foreach(cell, nodes)
			lint_node(survey, lfirst(cell), kind);
	}
}
