/*-------------------------------------------------------------------------
 *
 * materiallabels.h
 *		The providers of the labels that hold CAs and CRLs for every node.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SSLPOLICY_MATERIALLABELS_H
#define SSLPOLICY_MATERIALLABELS_H

extern void init_material_labels(void);

#endif							/* SSLPOLICY_MATERIALLABELS_H */
