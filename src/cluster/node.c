/*-------------------------------------------------------------------------
 *
 * node.c
 *		The names of the states of a node.
 *
 *-------------------------------------------------------------------------
 */
#include "cluster/node.h"

static const char *const state_names[NUM_NODE_STATES] = {
	[NODE_LOCAL] = "local",
	[NODE_APPLYING] = "applying",
	[NODE_IN_FORCE] = "in force",
	[NODE_NEWER] = "newer",
	[NODE_FAILED] = "failed",
	[NODE_FOREIGN] = "foreign",
	[NODE_SILENT] = "silent",
	[NODE_GONE] = "gone",
};

const char *
node_state_name(NodeState state)
{
	return state_names[state];
}

bool
parse_node_state(const char *name, NodeState *state)
{
	for (int i = 0; i < NUM_NODE_STATES; i++)
		if (strcmp(state_names[i], name) == 0)
		{
			*state = (NodeState) i;
			return true;
		}
	return false;
}
