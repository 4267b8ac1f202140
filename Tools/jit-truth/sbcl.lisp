;;; SPDX-License-Identifier: MIT
;;; sbcl --script sbcl.lisp TRUTH: functions compiled at run time, where SBCL puts them and also in
;;; the dynamic space; most are dropped, and collections move or free them. Each one's machine
;;; code goes to the file TRUTH when it is made ("load") and, where it is by then, at the end
;;; ("end"). Says "done PID RESULT" and waits for a line.
(defvar *truth* (open (car (last sb-ext:*posix-argv*)) :direction :output :if-exists :supersede))

(defun tell (kind name function)
  (let ((code (sb-kernel:fun-code-header (sb-kernel:%fun-fun function))))
    (sb-sys:with-pinned-objects (code)
      (let* ((sap (sb-kernel:code-instructions code))
             (size (sb-kernel:%code-text-size code))
             (text (make-string (* 2 size) :element-type 'base-char)))
        (dotimes (i size)
          (let ((byte (sb-sys:sap-ref-8 sap i)))
            (setf (char text (* 2 i)) (char "0123456789abcdef" (ash byte -4))
                  (char text (1+ (* 2 i))) (char "0123456789abcdef" (logand byte 15)))))
        (multiple-value-bind (s ns) (sb-unix::clock-gettime 1)
          (format *truth* "~a ~d~9,'0d ~(~x~) ~a ~a~%" kind s ns (sb-sys:sap-int sap) name text))))))

(defvar *seed* 12345)
(defun pick (n)
  (setf *seed* (mod (* *seed* 16807) 2147483647))
  (mod *seed* n))

(defun expression (depth)
  (if (zerop depth)
      (elt (list 'a 'b 'i (pick 1000)) (pick 4))
      (list (elt '(+ - logxor max min) (pick 5)) (expression (1- depth)) (expression (1- depth)))))

(defvar *living* '())
(defvar *sum* 0)
(dotimes (round 300)
  (let* ((sb-c::*compile-to-memory-space* (if (evenp round) :dynamic sb-c::*compile-to-memory-space*))
         (function (compile nil `(lambda (n a b)
                                   (declare (fixnum n a b))
                                   (let ((s 0) (seen '()))
                                     (declare (fixnum s))
                                     (dotimes (i n s)
                                       (setf s (mod (+ s ,(expression 3)) 65521))
                                       (when (zerop (mod s 1009)) (push s seen)))
                                     (+ s (length seen)))))))
    (tell "load" (format nil "f~d" round) function)
    (push (cons round function) *living*)
    (incf *sum* (funcall function 500 round 7)) ; each one runs at least once
    (dotimes (k 20)
      (let ((other (cdr (elt *living* (pick (length *living*))))))
        (setf *sum* (mod (+ *sum* (funcall other 500 k round)) 1000003))))
    (when (= 49 (mod round 50))
      (setf *living* (remove-if (lambda (entry) (plusp (mod (car entry) 3))) *living*))
      (sb-ext:gc :full (= 99 (mod round 100))))))

;; One by one, so that nothing moves between the telling and the end: there is no more collection.
(sb-sys:without-gcing
 (loop for (round . function) in *living* do (tell "end" (format nil "f~d" round) function))
 (close *truth*)
 (format t "done ~d ~d~%" (sb-unix:unix-getpid) *sum*)
 (finish-output)
 (read-line *standard-input* nil))
