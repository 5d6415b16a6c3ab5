@node "%~dp0vmbind" %*
