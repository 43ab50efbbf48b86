/*-------------------------------------------------------------------------
 *
 * place.h
 *		Where each kind of TLS material lies, and what is there.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_PLACE_H
#define SSLPOLICY_PLACE_H

#include "install/install.h"

/* Settings that name the file of a kind. */
typedef struct MaterialPlace
{
	int			count;
	TlsSetting	settings[2];	/* certificate and key of the server are one file,
								 * which both name */
} MaterialPlace;

extern const MaterialPlace *material_place(MaterialKind kind);
extern const char *own_material_file(MaterialKind kind);
extern const char *path_in_place(const Installation *inst);
extern bool is_one_file(const Installation *inst);
extern void read_in_place(Installation *inst);
extern MaterialFiles files_with(const Installation *inst, const char *file);

#endif							/* SSLPOLICY_PLACE_H */
