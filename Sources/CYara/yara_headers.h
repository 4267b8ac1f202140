/* SPDX-License-Identifier: MIT */
#include <yara.h>

/* libyara's lists are walked by macros, and its structures hold unions with arena references:
 * neither can be used from Swift. */

static inline const char *husk_yara_rule_name(const YR_RULE *rule)
{
	return rule->identifier;
}

static inline const char *husk_yara_rule_namespace(const YR_RULE *rule)
{
	return rule->ns ? rule->ns->name : NULL;
}

/* The first tag, or the one after `tag`; NULL: there is none. */
static inline const char *husk_yara_next_tag(const YR_RULE *rule, const char *tag)
{
	const char *next = tag ? tag + strlen(tag) + 1 : rule->tags;

	return next && *next ? next : NULL;
}

static inline const YR_META *husk_yara_next_meta(const YR_RULE *rule, const YR_META *meta)
{
	if (!meta)
		return rule->metas;
	return META_IS_LAST_IN_RULE(meta) ? NULL : meta + 1;
}

static inline const char *husk_yara_meta_name(const YR_META *meta)
{
	return meta->identifier;
}

/* NULL: it is a number. */
static inline const char *husk_yara_meta_text(const YR_META *meta)
{
	return meta->type == META_TYPE_STRING ? meta->string : NULL;
}

static inline int husk_yara_meta_is_boolean(const YR_META *meta)
{
	return meta->type == META_TYPE_BOOLEAN;
}

static inline const YR_STRING *husk_yara_next_string(const YR_RULE *rule, const YR_STRING *string)
{
	if (!string)
		return rule->strings;
	return STRING_IS_LAST_IN_RULE(string) ? NULL : string + 1;
}

static inline const char *husk_yara_string_name(const YR_STRING *string)
{
	return string->identifier;
}

/* The first match, or the one after `match`, that is not private. */
static inline const YR_MATCH *husk_yara_next_match(const YR_SCAN_CONTEXT *context,
						   const YR_STRING *string, const YR_MATCH *match)
{
	match = match ? match->next : context->matches[string->idx].head;
	while (match && match->is_private)
		match = match->next;
	return match;
}
