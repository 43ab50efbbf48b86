# A mistake on purpose: shellcheck has to find it.
rm $1
