/*-------------------------------------------------------------------------
 *
 * clientsettings.h
 *		What a client has to set, as rows of setting, value and note.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_CLIENTSETTINGS_H
#define SSLPOLICY_CLIENTSETTINGS_H

#include "nodes/pg_list.h"

#include "policy/facts.h"

typedef struct ClientSetting
{
	const char *setting;
	const char *value;			/* in UTF-8, as the client wants it */
	const char *note;			/* "": none */
} ClientSetting;

extern List *client_settings(const Facts *facts, const char *directory);
extern void add_client_setting(List **rows, const char *setting, const char *value, const char *note);

#endif							/* SSLPOLICY_CLIENTSETTINGS_H */
